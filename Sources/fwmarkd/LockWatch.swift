// SPDX-License-Identifier: GPL-2.0-or-later
import Glibc
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import SystemCalls

/// Watches the xtables lock's file: a program that opens or closes it takes or releases the lock, and may have written.
///
/// A hint only, and free: what programs do that skip the lock is found by the full comparison. The directory is watched as well, so
/// that a file that is unlinked, replaced or made again is watched at once. Runs on the keeper's own thread, where clients
/// hold nothing up.
struct LockWatch: Service {
    let path: String
    /// The keeper's thread.
    let loop: any EventLoop
    /// The keeper's own uses of the lock.
    let uses: LockUses
    let log: Logger
    /// Called on the keeper's thread when the lock was used, or its file had to be watched again; by the keeper alone, or by others.
    let whenUsed: @Sendable (_ byKeeper: Bool) -> Void

    /// How often the watch is renewed without any event.
    fileprivate static let renewal = Duration.seconds(5)

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do {
                    try await watch(try LockFileWatches(path, uses))
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
        let channel = try await NIOPipeBootstrap(group: loop)
            // inotify answers EINVAL where the next event does not fit (it has a name of up to 255 bytes), and NIO traps on that.
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 1 << 14))
            .channelOption(.autoRead, value: false)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(LockEvents(watches, whenUsed))
                }
            }
            .takingOwnershipOfDescriptor(input: try watches.duplicate()).get()
        try await withTaskCancellationHandler {
            try await channel.closeFuture.get()
        } onCancel: {
            channel.close(promise: nil)
        }
    }
}

/// Reads the events of inotify(7), and looks now and then whether the right file is watched.
private final class LockEvents: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    /// How long what comes is gathered before it is read again.
    private static let pause = TimeAmount.milliseconds(1)

    private let watches: LockFileWatches
    private let whenUsed: (Bool) -> Void
    private var renewal: RepeatedTask?

    init(_ watches: LockFileWatches, _ whenUsed: @escaping (Bool) -> Void) {
        self.watches = watches
        self.whenUsed = whenUsed
    }

    func channelActive(context: ChannelHandlerContext) {
        let events = NIOLoopBound(self, eventLoop: context.eventLoop)
        renewal = context.eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: TimeAmount(LockWatch.renewal)) { _ in
            events.value.renew()
        }
        context.read()
    }

    private func renew() { if watches.renew() { whenUsed(false) } }

    func channelInactive(context: ChannelHandlerContext) { renewal?.cancel() }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let events = watches.read(unwrapInboundIn(data))
        let isNew = events.isChanged && watches.renew()
        if events.isUsed || isNew {
            whenUsed(false)
        } else if events.isUsedByKeeper {
            whenUsed(true)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        let context = NIOLoopBound(context, eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: LockEvents.pause) { context.value.read() }
    }
}
