// SPDX-License-Identifier: GPL-2.0-or-later
import API
import DaemonSupport
import Foundation
import NamespaceSupport
import Testing

extension DaemonKernelTests {
    @Suite("Chaos")
    struct Chaos {
        @Test(
            "Kills, flushes, signals, a held lock, a full state directory, bad files: right after each, other programs' rules untouched"
        )
        func chaos() async throws {
            try await NetworkNamespace.run { namespace in
                let other = "-t mangle -A PREROUTING -p tcp --dport 7777 -m comment --comment theirs -j MARK --set-mark 7777"
                var daemon = try Daemon.ready(in: namespace, ftp())
                let judge = try Judge(namespace)
                let end = ContinuousClock.now + .seconds(isLong ? 300 : 45)
                var (rounds, slowest) = (0, Duration.zero)
                while ContinuousClock.now < end {
                    let action = rounds % 9
                    rounds += 1
                    switch action {
                    case 0:
                        try daemon.kill()
                        daemon = try Daemon(in: namespace)
                        try daemon.expect("READY=1")
                    case 1: try namespace.run("iptables-legacy", "-w", "-t", "mangle", "-F")
                    case 2: try namespace.run("iptables-legacy", "-w", "-t", "nat", "-F")
                    case 3: try namespace.run(["iptables-legacy", "-w"] + other.split(separator: " ").map(String.init))
                    case 4:
                        for _ in 1...50 {
                            daemon.program.signal(SIGHUP)
                            daemon.hearNotifications()
                        }
                    case 5:
                        let lock = open(namespace.lockPath, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
                        #expect(flock(lock, LOCK_EX) == 0)
                        daemon.program.signal(SIGHUP)
                        usleep(300_000)
                        close(lock)
                    case 6:
                        try daemon.files.write("nonsense: 1\n")
                        daemon.program.signal(SIGHUP)
                        try namespace.run("iptables-legacy", "-w", "-t", "mangle", "-D", "fwmarkd-mark", "1")
                    case 7:
                        try? FileManager.default.removeItem(atPath: daemon.files.state)
                        try Data().write(to: URL(fileURLWithPath: daemon.files.state))
                        try daemon.files.write(ftp())
                        daemon.program.signal(SIGHUP)
                    default:
                        try? FileManager.default.removeItem(atPath: daemon.files.state)
                        try? FileManager.default.removeItem(atPath: namespace.lockPath)
                        try daemon.files.write(ftp("check-interval: 500ms"))
                        daemon.program.signal(SIGHUP)
                        try namespace.run("iptables-legacy", "-w", "-t", "nat", "-F")
                    }
                    slowest = max(slowest, try judge.untilRight(seconds: 5))
                    daemon.hearNotifications()
                    try daemon.wait(seconds: 5) { $0.state == .inSync }
                    #expect(try judge.isRight(), "false in-sync after action \(action)")
                    if action == 3 {
                        let saved = try namespace.run("iptables-legacy-save", "-t", "mangle")
                        #expect(saved.contains("--comment theirs"))
                        try namespace.run(
                            ["iptables-legacy", "-w"] + other.replacing("-A", with: "-D").split(separator: " ").map(String.init))
                    }
                }
                print("chaos: \(rounds) rounds, right after \(slowest) at most")
                #expect(try daemon.stop() == 0)
            }
        }
    }
}
