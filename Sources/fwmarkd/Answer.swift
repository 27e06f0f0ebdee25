// SPDX-License-Identifier: GPL-2.0-or-later
import NIOCore
import Synchronization

/// The body of an answer, made once and given to all who ask meanwhile.
struct Answer: Sendable {
    private static let counter = Atomic<UInt64>(0)

    /// Tells answers apart.
    let number: UInt64
    /// The bytes.
    let body: ByteBuffer
    /// What they are.
    let mediaType: String

    init(_ body: ByteBuffer, _ mediaType: String) {
        number = Answer.counter.wrappingAdd(1, ordering: .relaxed).newValue
        self.body = body
        self.mediaType = mediaType
    }
}
