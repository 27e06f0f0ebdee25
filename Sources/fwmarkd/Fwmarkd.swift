import API
import ArgumentParser
import Glibc
import Keeper
import Logging
import NIOCore
import NIOPosix
import Netfilter
import ServiceLifecycle
import Systemd
import UnixSignals

/// The daemon: options, and what is run in which order.
@main
struct Fwmarkd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fwmarkd",
        abstract: "Keeps the netfilter rules that IPVS needs for multi-port services.",
        discussion: """
            Runs in the foreground and logs to standard error. SIGHUP reads the file again, SIGTERM and SIGINT stop. \
            See fwmarkd(8), fwmarkd.yaml(5), and fwmarkctl(8) for talking to it.
            """,
        version: API.version)

    @Option(help: "The configuration file; conf.d/*.yaml beside it is read as well.")
    var config = "/etc/fwmarkd/fwmarkd.yaml"

    @Option(help: "Where the last good configuration is kept.")
    var stateDirectory = "/var/lib/fwmarkd"

    @Option(help: "Where the sockets are made.")
    var runtimeDirectory = Endpoint.runtimeDirectory

    @Flag(help: "Apply the configuration, verify it, and exit.")
    var once = false

    func run() async throws {
        signal(SIGPIPE, SIG_IGN)
        umask(0o077)
        raiseOpenFilesLimit()
        var log = Logger(label: "fwmarkd") { _ in StandardErrorLog() }
        log.logLevel = .info

        let keeperThread = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let keeper = Keeper(
            KernelTables(), configurationPath: config, lastGood: LastGood(stateDirectory: stateDirectory),
            board: StatusBoard(configurationPath: config, pid: getpid()), notifier: ServiceNotifier(), log: log,
            clock: ContinuousClock(), executor: keeperThread.next().executor)
        do {
            try Directory.make(stateDirectory, mode: 0o700)
            if once {
                try await keeper.load()
                guard try await keeper.start() else { throw ExitCode.failure }
                return
            }
            try await serve(keeper, log)
        } catch let failure as BootFailure {
            log.critical("\(failure)")
            throw ExitCode.failure
        } catch let refusal as RuntimeDirectory.Refusal {
            log.critical("\(refusal)")
            throw ExitCode.failure
        }
    }

    private func serve(_ keeper: Keeper<KernelTables, ContinuousClock>, _ log: Logger) async throws {
        let runtime = try RuntimeDirectory(runtimeDirectory)
        // Before anything takes time: a SIGHUP that nobody traps would end the daemon.
        let hangups = await UnixSignalsSequence(trapping: .sighup)
        try await keeper.load()

        let answers = Answers(keeper: keeper, tables: KernelTables())
        var (servers, listening) = runtime.servers(answers, log)
        if let address = await keeper.metricsListen { servers.append(metricsServer(answers, address, log)) }
        let services =
            servers + [
                KeeperService(keeper: keeper, listening: listening, count: 2),
                ReloadOnHangup(keeper: keeper, hangups: hangups),
                LockWatch(path: XtablesLock.defaultPath, log: log) { await keeper.tablesMayHaveChanged() },
            ]
        var quiet = log
        quiet.logLevel = .error
        let group = ServiceGroup(
            configuration: .init(services: services, gracefulShutdownSignals: [.sigterm, .sigint], logger: quiet))
        defer { runtime.removeSockets() }
        try await group.run()
    }

    /// Each client of a socket takes a descriptor; what the hard limit allows is enough for more clients than there is memory for.
    private func raiseOpenFilesLimit() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = min(limit.rlim_max, 65536)
        _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}
