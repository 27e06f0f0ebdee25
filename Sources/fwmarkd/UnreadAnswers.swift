// SPDX-License-Identifier: GPL-2.0-or-later
import NIOCore
import Synchronization

/// How much memory is taken by answers that clients have not read yet. One answer that many are given is counted once.
final class UnreadAnswers: Sendable {
    private struct State {
        var readers: [UInt64: Int] = [:]
        var byteCount = 0
    }

    private let limit: Int
    private let state = Mutex(State())

    init(limit: Int) { self.limit = limit }

    /// An answer on its way to one client; counted as long as this lives.
    final class Reading: Sendable {
        private let answer: Answer
        private let unread: UnreadAnswers

        fileprivate init(_ answer: Answer, _ unread: UnreadAnswers) {
            (self.answer, self.unread) = (answer, unread)
        }

        deinit { unread.end(answer) }
    }

    /// Begins to give the answer to a client.
    ///
    /// - Returns: nil where there is no room for it. A single answer always has room.
    func begin(_ answer: Answer) -> Reading? {
        let hasRoom = state.withLock { state in
            if state.readers[answer.number] == nil {
                let size = answer.body.readableBytes
                guard state.readers.isEmpty || state.byteCount + size <= limit else { return false }
                state.byteCount += size
            }
            state.readers[answer.number, default: 0] += 1
            return true
        }
        return hasRoom ? Reading(answer, self) : nil
    }

    private func end(_ answer: Answer) {
        state.withLock { state in
            guard let count = state.readers[answer.number] else { return }
            state.readers[answer.number] = count > 1 ? count - 1 : nil
            if count == 1 { state.byteCount -= answer.body.readableBytes }
        }
    }
}
