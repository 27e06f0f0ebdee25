// SPDX-License-Identifier: GPL-2.0-or-later
import API
import DaemonSupport
import Foundation
import NamespaceSupport
import Testing

/// What is done to the daemon, one thing after the other, round after round.
private enum Act: CaseIterable {
    case kill, flushMangle, flushNat, otherRule, hangups, heldLock, badFile, fullState, readOnlyState, lostLockFile, clients
}

/// A daemon, its namespace, and the judge of its rules.
private struct Chaos {
    private static let other = "PREROUTING -p tcp --dport 7777 -m comment --comment theirs -j MARK --set-mark 7777"
    /// Connections that ask for nothing, for half of something, and for events that nobody reads.
    private static let hostile = """
        import resource, socket, sys, time
        resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
        texts = [b"", b"GET /v1/sta", b"GET /v1/events?follow=true HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n"]
        clients = []
        for number in range(600):
            client = socket.socket(socket.AF_UNIX)
            client.setblocking(False)
            try:
                client.connect(sys.argv[1])
                client.send(texts[number % 3])
                clients.append(client)
            except OSError:
                pass
        time.sleep(2)
        """

    let namespace: NetworkNamespace
    var daemon: Daemon
    private var clients: RunningProgram?
    /// A state directory of 64 KiB in a mount namespace of the daemon's own, so that it can be full, or be mounted read-only.
    private static func wrapper(_ namespace: NetworkNamespace) -> [String] {
        let state = Daemon.Files(namespace: namespace).state
        return [
            "unshare", "-m", "bash", "-c", "mkdir -p \(state) && mount -t tmpfs -o size=64k tmpfs \(state) && exec \"$@\"", "bash",
        ]
    }

    init(_ namespace: NetworkNamespace) throws {
        self.namespace = namespace
        daemon = try Daemon.ready(in: namespace, ftp(), wrapper: Chaos.wrapper(namespace))
    }

    private func iptables(_ words: String) throws {
        try namespace.run(["iptables-legacy", "-w", "-t"] + words.split(separator: " ").map(String.init))
    }

    /// Runs a command where the daemon's state directory is.
    private func inState(_ command: String) throws {
        try namespace.run("nsenter", "-t", "\(daemon.program.process)", "-m", "bash", "-c", "cd \(daemon.files.state); \(command)")
    }

    mutating func play(_ act: Act) throws {
        switch act {
        case .kill:
            try daemon.kill()
            daemon = try Daemon(in: namespace, wrapper: Chaos.wrapper(namespace))
            try daemon.expect("READY=1")
        case .flushMangle: try iptables("mangle -F")
        case .flushNat: try iptables("nat -F")
        case .otherRule: try iptables("mangle -A " + Chaos.other)
        case .hangups:
            for _ in 1...50 {
                daemon.program.signal(SIGHUP)
                daemon.hearNotifications()
            }
        case .heldLock:
            let lock = open(namespace.lockPath, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
            #expect(flock(lock, LOCK_EX) == 0)
            daemon.program.signal(SIGHUP)
            try daemon.expect("RELOADING=1")
            close(lock)
        case .badFile:
            try daemon.files.write("nonsense: 1\n")
            daemon.program.signal(SIGHUP)
            try iptables("mangle -D fwmarkd-mark 1")
        case .fullState:
            try inState("rm -f last-good.json; head -c 1000000 /dev/zero >fill 2>/dev/null || true")
            try reload(ftp("check-interval: 900ms"))
        case .readOnlyState:
            try inState("rm -f fill; mount -o remount,ro .")
            try reload(ftp("check-interval: 800ms"))
        case .lostLockFile:
            try inState("mount -o remount,rw .")
            try FileManager.default.removeItem(atPath: namespace.lockPath)
            try reload(ftp("check-interval: 500ms"))
        case .clients:
            clients = try namespace.start(["python3", "-c", Chaos.hostile, daemon.files.statusSocket])
            try iptables("mangle -D fwmarkd-mark 1")
        }
    }

    private func reload(_ text: String) throws {
        try daemon.files.write(text)
        daemon.program.signal(SIGHUP)
        try iptables("nat -F")
    }

    /// Expects what has to be so soon after the act, and undoes what the test itself has added.
    mutating func check(_ act: Act, _ judge: Judge) throws {
        daemon.hearNotifications()
        if act == .clients {
            clients?.signal(SIGKILL)
            clients = nil
        }
        try daemon.wait(seconds: 5) { $0.state == .inSync }
        #expect(try judge.isRight(), "false in-sync after \(act)")
        if act == .otherRule {
            #expect(try namespace.run("iptables-legacy-save", "-t", "mangle").contains("--comment theirs"))
            try iptables("mangle -D " + Chaos.other)
        }
    }
}

extension DaemonKernelTests {
    @Suite("Chaos")
    struct ChaosTests {
        @Test(
            "Kills, flushes, signals, a held lock, a full and a read-only state directory, bad files, bad clients: right after each",
            .enabled(if: FileManager.default.isExecutableFile(atPath: python), "needs python3"))
        func chaos() async throws {
            try await NetworkNamespace.run { namespace in
                var chaos = try Chaos(namespace)
                let judge = try Judge(namespace)
                let end = ContinuousClock.now + .seconds(isLong ? 300 : 45)
                var (rounds, slowest) = (0, Duration.zero)
                while ContinuousClock.now < end {
                    let act = Act.allCases[rounds % Act.allCases.count]
                    rounds += 1
                    try chaos.play(act)
                    slowest = max(slowest, try judge.untilRight(seconds: 5))
                    try chaos.check(act, judge)
                }
                print("chaos: \(rounds) rounds, right after \(slowest) at most")
                #expect(rounds >= Act.allCases.count)
                #expect(try chaos.daemon.stop() == 0)
            }
        }
    }
}
