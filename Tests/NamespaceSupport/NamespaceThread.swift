// SPDX-License-Identifier: GPL-2.0-or-later
import CNamespaces
import Dispatch
import Foundation
import Synchronization

/// A thread in a network namespace of its own, and an executor: a task that prefers it runs on this thread and nowhere else.
final class NamespaceThread: TaskExecutor {
    private struct Queue {
        var jobs: [UnownedJob] = []
        var isFinished = false
    }

    private let queue = Mutex(Queue())
    private let wakeUp = DispatchSemaphore(value: 0)
    /// The network namespace, held open as long as the executor lives.
    let descriptor: CInt

    private init(_ descriptor: CInt) { self.descriptor = descriptor }

    deinit { close(descriptor) }

    /// A new thread in a new network namespace; `finish` ends it.
    static func started() async throws -> NamespaceThread {
        try await withCheckedThrowingContinuation { continuation in
            let thread = Thread {
                guard unshare(fwmarkd_clone_newnet) == 0 else {
                    return continuation.resume(throwing: Failure("unshare: \(String(cString: strerror(errno)))"))
                }
                let descriptor = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)
                guard descriptor >= 0 else {
                    return continuation.resume(throwing: Failure("/proc/thread-self/ns/net: \(String(cString: strerror(errno)))"))
                }
                let executor = NamespaceThread(descriptor)
                continuation.resume(returning: executor)
                executor.work()
            }
            thread.start()
        }
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.withLock { $0.jobs.append(job) }
        wakeUp.signal()
    }

    /// Ends the thread when all that waits for it is done.
    func finish() {
        queue.withLock { $0.isFinished = true }
        wakeUp.signal()
    }

    /// Whether the calling thread is in another network namespace than the one that the tests were started in.
    static var isInside: Bool { inode("/proc/thread-self/ns/net") != inode("/proc/self/ns/net") }

    /// Whether the calling thread is in this namespace.
    var isCurrent: Bool {
        NamespaceThread.inode("/proc/thread-self/ns/net") == NamespaceThread.inode("/proc/self/fd/\(descriptor)")
    }

    private static func inode(_ path: String) -> UInt {
        var status = stat()
        return stat(path, &status) == 0 ? status.st_ino : 0
    }

    private func work() {
        while true {
            wakeUp.wait()
            let (job, isFinished) = queue.withLock { queue in
                (queue.jobs.isEmpty ? nil : queue.jobs.removeFirst(), queue.isFinished)
            }
            if let job { job.runSynchronously(on: asUnownedTaskExecutor()) } else if isFinished { return }
        }
    }
}
