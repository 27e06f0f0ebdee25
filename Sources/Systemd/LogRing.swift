// SPDX-License-Identifier: GPL-2.0-or-later
import Glibc
import Synchronization

/// Lines on their way to a reader that may be slow, or may never read. Adding one never waits: a thread of its own writes, and what there is no
/// room for is dropped, the oldest first, and counted.
package final class LogRing: Sendable {
    private struct State {
        var lines: [[UInt8]] = []
        var byteCount = 0
        var dropped: UInt64 = 0
        var untoldDrops: UInt64 = 0
        var isWriting = false
    }

    /// How many bytes wait at most.
    private let byteLimit: Int
    private let state = Mutex(State())
    /// Has a byte when there is something to write.
    private let filled: Signal
    /// Has a byte when all is written.
    private let drained: Signal
    private let write: @Sendable ([UInt8]) -> Void

    /// A ring whose lines are written by `write`, which may block. `droppedLine` says how many lines were dropped.
    package init(
        byteLimit: Int = 1 << 20, droppedLine: @escaping @Sendable (UInt64) -> [UInt8],
        write: @escaping @Sendable ([UInt8]) -> Void
    ) {
        self.byteLimit = byteLimit
        self.write = write
        filled = Signal()
        drained = Signal()
        start(droppedLine)
    }

    /// Adds a line, or several in one piece.
    package func add(_ line: [UInt8]) {
        state.withLock { state in
            state.lines.append(line)
            state.byteCount += line.count
            var excess = 0
            while state.byteCount > byteLimit, excess < state.lines.count - 1 {
                state.byteCount -= state.lines[excess].count
                excess += 1
            }
            guard excess > 0 else { return }
            state.lines.removeFirst(excess)
            state.dropped += UInt64(excess)
            state.untoldDrops += UInt64(excess)
        }
        filled.raise()
    }

    /// How many lines were dropped since the start.
    package var dropped: UInt64 { state.withLock { $0.dropped } }

    /// Waits until all is written, that many milliseconds at most. Called before the process ends.
    package func drain(milliseconds: CInt = 300) {
        let deadline = ContinuousClock.now + .milliseconds(Int(milliseconds))
        while !state.withLock({ $0.lines.isEmpty && !$0.isWriting }), ContinuousClock.now < deadline {
            let left = ContinuousClock.now.duration(to: deadline)
            drained.wait(max(1, CInt(left / .milliseconds(1))))
        }
    }

    /// A pair of sockets that one side waits on: what a condition variable is, for values that are sent between threads.
    private final class Signal: Sendable {
        private let reading: CInt
        private let writing: CInt

        init() {
            var ends: [CInt] = [-1, -1]
            socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0, &ends)
            (reading, writing) = (ends[0], ends[1])
        }

        deinit {
            close(reading)
            close(writing)
        }

        func raise() { _ = Glibc.write(writing, [1], 1) }

        func lower() {
            var bytes = [UInt8](repeating: 0, count: 64)
            while Glibc.read(reading, &bytes, bytes.count) == bytes.count {}
        }

        /// Waits until it is raised, that many milliseconds at most; forever if they are negative.
        func wait(_ milliseconds: CInt) {
            var event = pollfd(fd: reading, events: Int16(POLLIN), revents: 0)
            poll(&event, 1, milliseconds)
        }
    }

    // MARK: - The thread

    private final class Body: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    private func start(_ droppedLine: @escaping @Sendable (UInt64) -> [UInt8]) {
        let body = Body { [self] in
            while true {
                filled.wait(-1)
                filled.lower()
                writeAll(droppedLine)
            }
        }
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setdetachstate(&attributes, CInt(PTHREAD_CREATE_DETACHED))
        var thread = pthread_t()
        let argument = Unmanaged.passRetained(body)
        let result = pthread_create(
            &thread, &attributes,
            { argument in
                if let argument { Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run() }
                return nil
            }, argument.toOpaque())
        if result != 0 { argument.release() }
    }

    private func writeAll(_ droppedLine: (UInt64) -> [UInt8]) {
        while true {
            let (lines, dropped) = state.withLock { state in
                defer { (state.lines, state.byteCount, state.untoldDrops, state.isWriting) = ([], 0, 0, !state.lines.isEmpty) }
                return (state.lines, state.untoldDrops)
            }
            // Lowered before the lines are written, so that it is raised at the end of these alone.
            drained.lower()
            if lines.isEmpty {
                drained.raise()
                return
            }
            if dropped > 0 { write(droppedLine(dropped)) }
            for line in lines { write(line) }
        }
    }
}

extension LogRing {
    /// The ring to a descriptor, which may be anything: a pipe, a terminal, the journal's socket, a full disk.
    package convenience init(descriptor: CInt, byteLimit: Int = 1 << 20, droppedLine: @escaping @Sendable (UInt64) -> [UInt8]) {
        self.init(byteLimit: byteLimit, droppedLine: droppedLine) { bytes in
            var written = 0
            while written < bytes.count {
                let count = bytes[written...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
                if count > 0 {
                    written += count
                } else if errno == EAGAIN {
                    var event = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                    poll(&event, 1, -1)
                } else if errno != EINTR {
                    return
                }
            }
        }
    }
}
