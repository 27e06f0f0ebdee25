// SPDX-License-Identifier: GPL-2.0-or-later
import Glibc
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import SystemCalls

/// Watches the xtables lock's file: whoever opens or closes it takes or lets go of the lock, and may have written.
///
/// A hint only, and free: what programs do that skip the lock is found by the full comparison. The directory is watched as well, so
/// that a file that is unlinked, replaced or made again is watched anew at once.
struct LockWatch: Service {
    let path: String
    let log: Logger
    /// Called when the lock was used, or its file had to be watched anew.
    let whenUsed: @Sendable () async -> Void

    /// How long what comes is gathered before it is read again.
    private static let pause = Duration.milliseconds(2)
    /// How often is looked whether the watch is still right, whatever was told.
    private static let renewal = Duration.seconds(5)

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do {
                    try await watch(try LockFileWatches(path))
                } catch is CancellationError {
                    return
                } catch {
                    log.warning("the xtables lock \(path) is not watched: \(error)")
                }
                try? await Task.sleep(for: LockWatch.renewal)
            }
        }
    }

    private func watch(_ watches: LockFileWatches) async throws {
        let channel = try await NIOPipeBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            // inotify answers EINVAL where the next event does not fit (it has a name of up to 255 bytes), and NIO traps on that.
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 1 << 14))
            .takingOwnershipOfDescriptor(input: try watches.duplicate()) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, Never>(wrappingChannelSynchronously: channel)
                }
            }
        try await channel.executeThenClose { inbound in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    while true {
                        if watches.renew() { await whenUsed() }
                        try await Task.sleep(for: LockWatch.renewal)
                    }
                }
                for try await events in inbound {
                    let (isUsed, isChanged) = watches.read(events)
                    let isNew = isChanged && watches.renew()
                    if isUsed || isNew { await whenUsed() }
                    try await Task.sleep(for: LockWatch.pause)
                }
                group.cancelAll()
            }
        }
    }
}
