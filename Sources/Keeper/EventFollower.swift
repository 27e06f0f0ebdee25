// SPDX-License-Identifier: GPL-2.0-or-later
import API
import FoundationEssentials
import Synchronization

/// One reader of the events. It holds nothing but the number of the last event it was given: events that it does not take are not
/// kept for it, and when one of them is gone it is cut off.
package final class EventFollower: Sendable {
    /// How many events are given at once.
    private static let batch = 32

    /// What a follower is given.
    package enum Step: Sendable {
        /// The next events, at least one.
        case events([StoredEvent])
        /// The last line: it read too slowly, and is cut off.
        case cutOff(StoredEvent)
    }

    private let board: StatusBoard
    private let number: UInt64
    private let wake: AsyncStream<Void>
    private let position = Mutex<UInt64>(0)

    init(_ board: StatusBoard, number: UInt64, after position: UInt64, wake: AsyncStream<Void>) {
        self.board = board
        self.number = number
        self.wake = wake
        self.position.withLock { $0 = position }
    }

    deinit { board.removeFollower(number) }

    /// What comes next; waits for it.
    ///
    /// - Returns: nil when the daemon stops, or the task is cancelled.
    package func next() async -> Step? {
        while true {
            let (following, hasEnded) = board.following(position.withLock { $0 }, limit: EventFollower.batch)
            switch following {
            case .events(let events):
                position.withLock { $0 = events.last?.event.id ?? $0 }
                return .events(Array(events))
            case .missed(let count):
                return .cutOff(
                    StoredEvent(
                        Event(
                            id: position.withLock { $0 } + count, time: .now, kind: .missed,
                            message: "cut off: \(count) events came and went before they were read; connect again")))
            case .none:
                if hasEnded { return nil }
                var iterator = wake.makeAsyncIterator()
                if await iterator.next() == nil, Task.isCancelled { return nil }
            }
        }
    }
}
