// SPDX-License-Identifier: GPL-2.0-or-later
import NIOCore
import NIOPosix

/// A thread of its own for work that clients must not hold up: the keeper's, or the control socket's.
struct OwnThread: Sendable {
    let group: MultiThreadedEventLoopGroup
    /// The thread's loop.
    let loop: any EventLoop
    /// Runs tasks on the thread that belong to the daemon alone.
    let tasks: LoopTaskExecutor

    init() {
        group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        loop = group.next()
        tasks = LoopTaskExecutor(loop)
    }

    /// Runs the body and all its tasks on the thread.
    func run<Value: Sendable>(_ body: @Sendable () async throws -> Value) async rethrows -> Value {
        try await withTaskExecutorPreference(tasks, operation: body)
    }
}

/// Runs tasks on a loop's thread in place of the threads that all tasks share.
final class LoopTaskExecutor: TaskExecutor {
    private let loop: any EventLoop

    init(_ loop: any EventLoop) { self.loop = loop }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        loop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}

/// The clock of a thread: who sleeps by it is woken by the thread itself, however busy all others are.
struct ThreadClock: Clock {
    let loop: any EventLoop

    var now: ContinuousClock.Instant { .now }
    var minimumResolution: Duration { .nanoseconds(1) }

    func sleep(until deadline: ContinuousClock.Instant, tolerance: Duration?) async throws {
        let left = max(Duration.zero, min(now.duration(to: deadline), .seconds(1 << 30)))
        let timer = loop.scheduleTask(in: TimeAmount(left)) {}
        try await withTaskCancellationHandler {
            try await timer.futureResult.get()
        } onCancel: {
            timer.cancel()
        }
    }
}
