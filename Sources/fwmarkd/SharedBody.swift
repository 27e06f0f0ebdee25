// SPDX-License-Identifier: GPL-2.0-or-later
import NIOCore
import Synchronization

/// The body of a response, made once and given to all who ask meanwhile.
struct SharedBody: Sendable {
    private static let counter = Atomic<UInt64>(0)

    /// Distinguishes bodies.
    let number: UInt64
    /// What is sent.
    let bytes: ByteBuffer
    /// Its Content-Type.
    let mediaType: String

    init(_ bytes: ByteBuffer, _ mediaType: String) {
        number = SharedBody.counter.wrappingAdd(1, ordering: .relaxed).newValue
        self.bytes = bytes
        self.mediaType = mediaType
    }
}
