// SPDX-License-Identifier: GPL-2.0-or-later
import NIOCore
import Synchronization

/// How much memory is taken by bodies that clients have not read yet. A body that is sent to many is counted once.
final class UnreadBodies: Sendable {
    private struct State {
        var readers: [UInt64: Int] = [:]
        var byteCount = 0
    }

    private let limit: Int
    private let state = Mutex(State())

    init(limit: Int) { self.limit = limit }

    /// A body on its way to one client; counted as long as this lives.
    final class Reading: Sendable {
        private let body: SharedBody
        private let unread: UnreadBodies

        fileprivate init(_ body: SharedBody, _ unread: UnreadBodies) {
            (self.body, self.unread) = (body, unread)
        }

        deinit { unread.end(body) }
    }

    /// Begins to send the body to a client.
    ///
    /// - Returns: nil where there is no room for it. A single body always has room.
    func begin(_ body: SharedBody) -> Reading? {
        let hasRoom = state.withLock { state in
            if state.readers[body.number] == nil {
                let size = body.bytes.readableBytes
                guard state.readers.isEmpty || state.byteCount + size <= limit else { return false }
                state.byteCount += size
            }
            state.readers[body.number, default: 0] += 1
            return true
        }
        return hasRoom ? Reading(body, self) : nil
    }

    private func end(_ body: SharedBody) {
        state.withLock { state in
            guard let count = state.readers[body.number] else { return }
            state.readers[body.number] = count > 1 ? count - 1 : nil
            if count == 1 { state.byteCount -= body.bytes.readableBytes }
        }
    }
}
