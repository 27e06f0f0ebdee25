import Keeper
import Reconciler
import ServiceLifecycle
import UnixSignals

/// Brings the kernel to the configuration once the sockets are there, then does what is due until the daemon is to stop.
struct KeeperService<Store: RuleStore, Time: Clock>: Service where Time.Duration == Duration {
    let keeper: Keeper<Store, Time>
    /// Yields once for each server that listens.
    let listening: AsyncStream<Void>
    /// How many servers there are to wait for.
    let count: Int

    func run() async throws {
        var left = count
        for await _ in listening.cancelOnGracefulShutdown() {
            left -= 1
            if left == 0 { break }
        }
        if left == 0 {
            _ = try await keeper.start()
            await cancelWhenGracefulShutdown {
                while !Task.isCancelled {
                    let pause = await keeper.tick()
                    try? await Task.sleep(for: pause)
                }
            }
        }
        await keeper.stop()
        keeper.board.endFollowing()
    }
}

/// Reads the configuration again on SIGHUP.
struct ReloadOnHangup<Store: RuleStore, Time: Clock>: Service where Time.Duration == Duration {
    let keeper: Keeper<Store, Time>
    let hangups: UnixSignalsSequence

    func run() async throws {
        // What comes of it is logged, and stands in the status.
        for await _ in hangups.cancelOnGracefulShutdown() { _ = await keeper.reload() }
    }
}
