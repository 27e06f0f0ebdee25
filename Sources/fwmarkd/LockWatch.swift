import Glibc
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle

/// Watches the xtables lock's file: whoever closes it has let go of the lock, and may have written.
///
/// A hint only, and free: programs that skip the lock are found by the tables' sizes and by the full comparison.
struct LockWatch: Service {
    let path: String
    let log: Logger
    /// Called for every burst of closings. What happens meanwhile is one further burst.
    let whenClosed: @Sendable () async -> Void

    /// How long to wait for further closings after one was dealt with.
    private static let debounce = Duration.milliseconds(10)
    /// How long to wait before looking for a file that is not there.
    private static let missing = Duration.seconds(5)

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do {
                    try await watch()
                } catch is CancellationError {
                    return
                } catch {
                    log.debug("\(path) is not watched: \(error)")
                }
                try? await Task.sleep(for: LockWatch.missing)
            }
        }
    }

    /// Returns when the file is gone.
    private func watch() async throws {
        let descriptor = inotify_init1(CInt(IN_CLOEXEC | IN_NONBLOCK))
        guard descriptor >= 0 else { throw IOError(errnoCode: errno, reason: "inotify_init1") }
        // As iptables makes it: in a fresh system nobody has taken the lock yet.
        let file = open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0o600)
        if file >= 0 { close(file) }
        let mask = UInt32(IN_CLOSE_WRITE | IN_CLOSE_NOWRITE | IN_DELETE_SELF | IN_MOVE_SELF)
        guard inotify_add_watch(descriptor, path, mask) >= 0 else {
            let error = IOError(errnoCode: errno, reason: "inotify_add_watch \(path)")
            close(descriptor)
            throw error
        }
        let channel = try await NIOPipeBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .takingOwnershipOfDescriptor(input: descriptor) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, Never>(wrappingChannelSynchronously: channel)
                }
            }
        try await channel.executeThenClose { inbound in
            for try await events in inbound {
                await whenClosed()
                if isGone(events) { return }
                try await Task.sleep(for: LockWatch.debounce)
            }
        }
    }

    /// Whether one of the `struct inotify_event`s (inotify(7)) says that the file is not watched any more.
    private func isGone(_ events: ByteBuffer) -> Bool {
        var events = events
        while let (_, mask, _, length) = events.readMultipleIntegers(endianness: .host, as: (Int32, UInt32, UInt32, UInt32).self) {
            if mask & UInt32(IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED) != 0 { return true }
            events.moveReaderIndex(forwardBy: min(Int(length), events.readableBytes))
        }
        return false
    }
}
