// SPDX-License-Identifier: GPL-2.0-or-later
import API
import ArgumentParser
import Glibc
import Keeper
import Logging
import NIOCore
import NIOPosix
import Netfilter
import ServiceLifecycle
import SystemCalls
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
        if once { Memory.takeGenerously() }
        var log = Logger(label: "fwmarkd") { _ in StandardErrorLog() }
        log.logLevel = .info
        defer { StandardErrorLog.ring.drain() }

        // Before anything is opened: a process that runs out of descriptors ends where it can no longer say why.
        let openFiles = OpenFiles.raiseLimit(to: 1024)
        guard let limits = ServerLimits(openFiles: openFiles) else {
            log.critical("at most \(openFiles) files may be open, which is too few: raise LimitNOFILE= or `ulimit -n`")
            throw ExitCode.failure
        }
        let thread = OwnThread()
        let lockUses = LockUses()
        let board = StatusBoard(configurationPath: config, pid: getpid(), host: hostName())
        let keeper = Keeper(
            KeeperTables(tables: KernelTables(), lockUses: lockUses), configurationPath: config,
            lastGood: LastGood(stateDirectory: stateDirectory), board: board,
            notifier: ServiceNotifier(), log: log, clock: ThreadClock(loop: thread.loop), hasServers: !once,
            executor: thread.loop.executor)
        do {
            if once {
                // The keeper's thread does the work.
                try await thread.loop.submit { [config] in Memory.expect(fileAt: config) }.get()
                guard try await keeper.boot() else { throw ExitCode.failure }
                // Everything is written: nothing is taken apart that ends with the process.
                StandardErrorLog.ring.drain()
                _exit(EXIT_SUCCESS)
            }
            try await serve(keeper, thread, lockUses, limits, log)
        } catch let failure as BootFailure {
            log.critical("\(failure)")
            throw ExitCode.failure
        } catch let refusal as RuntimeDirectory.Refusal {
            log.critical("\(refusal)")
            throw ExitCode.failure
        }
    }

    private func serve(
        _ keeper: KernelKeeper, _ thread: OwnThread, _ lockUses: LockUses, _ limits: ServerLimits,
        _ log: Logger
    ) async throws {
        // One thread for all clients but root on the control socket.
        NIOSingletons.groupLoopCountSuggestion = 1
        let runtime = try RuntimeDirectory(runtimeDirectory)
        // Before the file is read: until here SIGHUP is ignored (CStart), and what comes from now on is a reload.
        let hangups = await UnixSignalsSequence(trapping: .sighup)
        let (tried, continuation) = AsyncStream.makeStream(of: Void.self)
        let tables = KernelTables()
        let servers = Servers(
            responses: Responses(keeper: keeper, tables: tables, unread: UnreadBodies(limit: limits.unreadBytes)),
            controlResponses: Responses(keeper: keeper, tables: tables, unread: UnreadBodies(limit: limits.unreadBytes)),
            runtime: runtime, httpListen: keeper.httpListen, limits: limits, log: log
        ) { continuation.yield() }
        let lockWatch = LockWatch(path: XtablesLock.defaultPath, loop: thread.loop, uses: lockUses, log: log) {
            keeper.hintHere(.lock, isOwn: $0)
        }
        let auditWatch = AuditWatch(log: log) {
            await keeper.audit(isHeard: $0)
        } whenWritten: {
            await keeper.hint(.audit, writer: $0)
        }
        let keeping = KeeperService(keeper: keeper, thread: thread, tried: tried, count: 2) { await Fwmarkd.end(runtime) }
        // Without a name of its own a service is printed whole, which takes milliseconds.
        let services: [ServiceGroupConfiguration.ServiceConfiguration] = [
            .init(service: servers, serviceName: "servers"), .init(service: lockWatch, serviceName: "lock"),
            .init(service: auditWatch, serviceName: "audit"),
            .init(service: ReloadOnHangup(keeper: keeper, hangups: hangups), serviceName: "hangups"),
            // The last to start is the first to stop.
            .init(service: keeping, serviceName: "keeper"),
        ]
        var quiet = log
        quiet.logLevel = .critical
        var configuration = ServiceGroupConfiguration(
            services: services, gracefulShutdownSignals: [.sigterm, .sigint], logger: quiet)
        // The keeper stops first; clients that do not go are cut off.
        configuration.maximumGracefulShutdownDuration = .seconds(30)
        defer { runtime.removeSockets() }
        try await ServiceGroup(configuration: configuration).run()
    }
}

extension Fwmarkd {
    /// Ends the process once the keeper has stopped, whatever clients do. The servers are not taken down one connection after the
    /// other: a connection that is accepted in that moment and handled by nobody makes NIO trap (a writer that was never finished).
    fileprivate static func end(_ runtime: RuntimeDirectory) async {
        runtime.end()
        // For answers and last events that are on their way.
        try? await Task.sleep(for: .milliseconds(100))
        StandardErrorLog.ring.drain()
        _exit(EXIT_SUCCESS)
    }
}

/// The machine's name, for people.
private func hostName() -> String {
    var name = [CChar](repeating: 0, count: 256)
    guard gethostname(&name, name.count - 1) == 0 else { return "" }
    return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// The limit of open files of this process.
enum OpenFiles {
    /// Raises the limit as far as the hard one allows.
    ///
    /// - Returns: what it is then.
    static func raiseLimit(to wanted: Int) -> Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 0 }
        if limit.rlim_cur < rlim_t(wanted) {
            limit.rlim_cur = min(limit.rlim_max, rlim_t(wanted))
            _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            _ = getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        }
        return Int(min(limit.rlim_cur, rlim_t(1 << 20)))
    }
}
