// SPDX-License-Identifier: GPL-2.0-or-later
import API
import Glibc
import Logging
import NIOCore
import NIOPosix
import Netlink
import Rules
import ServiceLifecycle
import SystemCalls

/// Hears the kernel's audit of the packet filter, where it is on and the daemon may: a hint like the lock file's that also names the
/// writer. Without it nothing is lost but the name.
struct AuditWatch: Service {
    let log: Logger
    /// Called when hearing begins or ends.
    let whenHeard: @Sendable (Bool) async -> Void
    /// Called when another program has replaced a table of ours.
    let whenWritten: @Sendable (Event.Writer) async -> Void

    func run() async throws {
        await cancelWhenGracefulShutdown {
            do {
                let descriptor = try open()
                log.info("listening to the kernel's audit log: while it is on, drift events name the writer")
                await whenHeard(true)
                try await hear(descriptor)
            } catch {
                log.debug("not listening to the kernel's audit log: \(error)")
            }
            await whenHeard(false)
            // A service that ends would end the daemon.
            try? await gracefulShutdown()
        }
    }

    private func open() throws -> CInt {
        let listener = try AuditListener()
        return try systemCall("hearing the audit") { fcntl(listener.descriptor, F_DUPFD_CLOEXEC, 0) }
    }

    private func hear(_ descriptor: CInt) async throws {
        let channel = try await NIOPipeBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            // MAX_AUDIT_MESSAGE_LENGTH is 8970; what does not fit is lost.
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 1 << 14))
            .takingOwnershipOfDescriptor(input: descriptor) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, Never>(wrappingChannelSynchronously: channel)
                }
            }
        try await channel.executeThenClose { inbound in
            for try await bytes in inbound {
                for record in AuditListener.records(in: Array(bytes.readableBytesView)[...]) {
                    guard case .tableChange(let change) = record.contents, let writer = writer(change) else { continue }
                    await whenWritten(writer)
                }
            }
        }
    }

    private func writer(_ change: AuditRecord.TableChange) -> Event.Writer? {
        guard Table.ours.contains(where: { $0.rawValue == change.table }), let pid = change.pid, pid != getpid() else {
            return nil
        }
        return Event.Writer(program: change.program ?? "unknown", pid: pid)
    }
}
