// SPDX-License-Identifier: GPL-2.0-or-later
import Keeper
import ServiceLifecycle
import UnixSignals

/// Brings the kernel to the configuration while the servers begin to listen, then does what is due until the daemon is to stop.
struct KeeperService: Service {
    let keeper: KernelKeeper
    /// The keeper's own thread.
    let thread: OwnThread
    /// Yields once for each server that has tried to listen for the first time.
    let tried: AsyncStream<Void>
    /// How many servers there are to wait for.
    let count: Int
    /// Called last, when the keeper has stopped.
    let whenStopped: @Sendable () async -> Void

    /// How long a server is waited for.
    private static let patience = Duration.seconds(2)

    func run() async throws { try await thread.run { try await keep() } }

    private func keep() async throws {
        let keeper = keeper
        // What waits for the xtables lock, at the start as well, is not to keep the daemon from stopping.
        try await withGracefulShutdownHandler {
            guard !Task.isShuttingDownGracefully else { return }
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    await waitForServers()
                    await keeper.serversTried()
                }
                defer { group.cancelAll() }
                _ = try await keeper.boot()
                await cancelWhenGracefulShutdown {
                    while !Task.isCancelled, let due = await keeper.work() { await keeper.pause(until: due) }
                }
            }
        } onGracefulShutdown: {
            keeper.beginStopping()
        }
        await keeper.stop()
        keeper.board.endFollowing()
        await whenStopped()
    }

    private func waitForServers() async {
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    var left = count
                    for await _ in tried {
                        left -= 1
                        if left == 0 { break }
                    }
                }
                group.addTask { try? await Task.sleep(for: KeeperService.patience) }
                await group.next()
                group.cancelAll()
            }
        }
    }
}

/// Has the configuration read again on SIGHUP.
struct ReloadOnHangup: Service {
    let keeper: KernelKeeper
    let hangups: UnixSignalsSequence

    func run() async throws {
        // What comes of it is logged, and is in the status.
        for await _ in hangups.cancelOnGracefulShutdown() { await keeper.hangUp() }
    }
}
