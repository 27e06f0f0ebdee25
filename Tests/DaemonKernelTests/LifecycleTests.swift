// SPDX-License-Identifier: GPL-2.0-or-later
import API
import DaemonSupport
import Foundation
import NamespaceSupport
import Rules
import Testing

/// Runs a program for which the kernel has no IPv6: socket(AF_INET6) is EAFNOSUPPORT, by seccomp(2), as with RestrictAddressFamilies=.
private let withoutIPv6 = [
    python, "-c",
    """
    import ctypes, os, struct, sys
    machine = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}[os.uname().machine]
    code = [(0x20, 0, 0, 4), (0x15, 0, 5, machine[0]), (0x20, 0, 0, 0), (0x15, 0, 3, machine[1]),
            (0x20, 0, 0, 16), (0x15, 0, 1, 10), (0x06, 0, 0, 0x00050000 | 97), (0x06, 0, 0, 0x7FFF0000)]
    text = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in code))
    program = ctypes.create_string_buffer(struct.pack("HP", len(code), ctypes.addressof(text)))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, ctypes.byref(program)) == 0
    os.execv(sys.argv[1], sys.argv[1:])
    """,
]

extension DaemonKernelTests {
    @Suite("Nothing outside holds the daemon up, or makes it end")
    struct Lifecycle {
        @Test("SIGHUP and SIGTERM at any moment of the start: neither ends it otherwise than asked for")
        func signalsAtStart() async throws {
            try await NetworkNamespace.run { namespace in
                for delay in [0, 1, 2, 4, 6, 8, 10, 12, 16, 24, 40, 80] {
                    try Daemon.Files(namespace: namespace).write(ftp())
                    let daemon = try Daemon(in: namespace)
                    // Before that the dynamic linker is at work, and there is no program yet that could ignore anything.
                    while daemon.program.isRunning, try !daemon.minds(SIGHUP) { usleep(100) }
                    usleep(UInt32(delay) * 1000)
                    daemon.program.signal(SIGHUP)
                    try daemon.expect("READY=1")
                    #expect(try daemon.status().state == .inSync)
                    #expect(try daemon.stop() == 0, "\(delay)")
                }
            }
        }

        @Test("SIGTERM is obeyed while the lock is waited for, at the start and later")
        func termWhileWaiting() async throws {
            try await NetworkNamespace.run { namespace in
                let lock = open(namespace.lockPath, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
                #expect(flock(lock, LOCK_EX) == 0)
                try Daemon.Files(namespace: namespace).write(ftp("lock-timeout: 60s"))
                let first = try Daemon(in: namespace)
                usleep(500_000)
                #expect(try first.status().state == .starting)
                let start = ContinuousClock.now
                #expect(try first.stop() == 0)
                #expect(start.duration(to: .now) < .seconds(2))
                #expect(flock(lock, LOCK_UN) == 0)
                let second = try Daemon.ready(in: namespace, ftp("lock-timeout: 60s"))
                #expect(flock(lock, LOCK_EX) == 0)
                second.program.signal(SIGHUP)
                usleep(300_000)
                let later = ContinuousClock.now
                #expect(try second.stop() == 0)
                #expect(later.duration(to: .now) < .seconds(2))
                close(lock)
            }
        }

        @Test("Two thousand SIGHUPs are far fewer reloads, paced by what they cost")
        func hangups() async throws {
            try await NetworkNamespace.run { namespace in
                let daemon = try Daemon.ready(in: namespace, ftp())
                let start = ContinuousClock.now
                for _ in 1...2000 {
                    daemon.program.signal(SIGHUP)
                    usleep(100)
                    daemon.hearNotifications()
                }
                let storm = start.duration(to: .now)
                sleep(2)
                let reloads = try daemon.events().count { $0.kind == .applied } - 1
                print("2,000 SIGHUPs in \(storm): \(reloads) reloads")
                // As released one costs less than a millisecond of processor time.
                #expect((1...(isReleased ? 800 : 200)).contains(reloads))
                #expect(try daemon.status().state == .inSync)
                let settled = reloads
                usleep(500_000)
                #expect(try daemon.events().count { $0.kind == .applied } - 1 == settled, "none is left over")
                #expect(try daemon.stop() == 0)
            }
        }

        @Test("on-stop: remove with reloads at the same time leaves no rule")
        func stopWhileReloading() async throws {
            try await NetworkNamespace.run { namespace in
                for _ in 1...(isLong ? 40 : 8) {
                    let daemon = try Daemon.ready(in: namespace, ftp("on-stop: remove"))
                    for _ in 1...5 { daemon.program.signal(SIGHUP) }
                    let clients = (0..<4).compactMap { _ in try? UnixSocket.connect(to: daemon.files.controlSocket) }
                    for client in clients {
                        client.send(Array("POST /v1/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".utf8))
                    }
                    #expect(try daemon.stop() == 0)
                    #expect(try !namespace.run("iptables-legacy-save").contains("fwmarkd"))
                }
            }
        }

        @Test("A FIFO as file, in conf.d, or as last good: refused in a sentence, and nothing stands still")
        func fifos() async throws {
            try await NetworkNamespace.run { namespace in
                let daemon = try Daemon.ready(in: namespace, ftp())
                let judge = try Judge(namespace)
                let fragments = namespace.directory.path + "/conf.d"
                try FileManager.default.createDirectory(atPath: fragments, withIntermediateDirectories: true)
                #expect(mkfifo(fragments + "/a.yaml", 0o644) == 0)
                let answer = try Answer(of: daemon.files.controlSocket, "POST", Endpoint.reload)
                #expect(answer.code == 422)
                #expect(String(decoding: answer.body, as: UTF8.self).contains("FIFO"))
                try FileManager.default.removeItem(atPath: daemon.files.configuration)
                #expect(mkfifo(daemon.files.configuration, 0o644) == 0)
                #expect(try Answer(of: daemon.files.controlSocket, "POST", Endpoint.reload).code == 422)
                try namespace.run("iptables-legacy", "-w", "-t", "mangle", "-F")
                #expect(try judge.untilRight() < .seconds(1))
                #expect(try daemon.stop() == 0)
            }
        }

        @Test("A standard error that nobody reads: the rules are kept, and SIGTERM is obeyed")
        func hungLog() async throws {
            try await NetworkNamespace.run { namespace in
                var ends: [CInt] = [0, 0]
                #expect(pipe(&ends) == 0)
                let path = namespace.directory.path + "/stderr"
                #expect(mkfifo(path, 0o600) == 0)
                // Opened by somebody who never reads.
                let reader = open(path, O_RDWR | O_CLOEXEC)
                let daemon = try Daemon.ready(in: namespace, ftp(), wrapper: ["bash", "-c", "exec \"$@\" 2>\(path)", "bash"])
                let judge = try Judge(namespace)
                for _ in 1...60 {
                    try namespace.run("iptables-legacy", "-w", "-t", "mangle", "-F")
                    #expect(try judge.untilRight() < .seconds(1))
                    for _ in 1...20 {
                        daemon.program.signal(SIGHUP)
                        daemon.hearNotifications()
                    }
                }
                #expect(try daemon.status().state == .inSync)
                #expect(try daemon.stop() == 0)
                for end in ends + [reader] { close(end) }
            }
        }

        @Test("A runtime directory that is deleted is made again, and the daemon answers there")
        func deletedDirectory() async throws {
            try await NetworkNamespace.run { namespace in
                let daemon = try Daemon.ready(in: namespace, ftp())
                try FileManager.default.removeItem(atPath: daemon.files.runtime)
                let deadline = ContinuousClock.now + .seconds(10)
                // Each socket is made again by its own server.
                for socket in [daemon.files.statusSocket, daemon.files.controlSocket] {
                    while (try? Answer(of: socket, "GET", Endpoint.status)) == nil, ContinuousClock.now < deadline {
                        usleep(50_000)
                    }
                }
                #expect(try daemon.status().state == .inSync)
                #expect(try Answer(of: daemon.files.controlSocket, "POST", Endpoint.reconcile).code == 200)
                let second = try Daemon(in: namespace)
                #expect(try second.program.wait(seconds: 10) == 1, "its lock is held again")
                #expect(try daemon.stop() == 0)
            }
        }

        @Test("http-listen on a taken address: the rules are kept, it is told, and it listens when the address is free")
        func takenAddress() async throws {
            try await NetworkNamespace.run { namespace in
                try namespace.run("ip", "link", "set", "lo", "up")
                let taken = try TestSocket.listener(.ipv4, port: 9780)
                let daemon = try Daemon.ready(in: namespace, ftp("http-listen: 127.0.0.1:9780"))
                try daemon.wait { $0.servers.contains { $0.name == "http" && $0.error?.contains("in use") == true } }
                let metrics = try Answer(of: daemon.files.statusSocket, "GET", Endpoint.metrics)
                #expect(String(decoding: metrics.body, as: UTF8.self).contains("fwmarkd_listening{server=\"http\"} 0"))
                #expect(daemon.program.output.contains("127.0.0.1:9780"))
                // Another one at a reload, without a restart.
                try daemon.files.write(ftp("http-listen: 127.0.0.1:9781"))
                try daemon.hangUp()
                try daemon.wait { $0.servers.contains { $0.address == "127.0.0.1:9781" && $0.isListening } }
                #expect(try namespace.run("curl", "-s", "http://127.0.0.1:9781/metrics").contains("fwmarkd_in_sync 1"))
                try daemon.files.write(ftp())
                try daemon.hangUp()
                try daemon.wait { !$0.servers.contains { $0.name == "http" } }
                #expect(try daemon.stop() == 0)
                _ = consume taken
            }
        }

        @Test(
            "A reload that the kernel refuses: 422 with its reason, the rules before stay guarded; at the next start the last good ones",
            .enabled(if: FileManager.default.isExecutableFile(atPath: python), "needs python3"))
        func refusedByKernel() async throws {
            try await NetworkNamespace.run { namespace in
                let daemon = try Daemon.ready(in: namespace, ftp(), wrapper: withoutIPv6)
                let judge = try Judge(namespace)
                try daemon.files.write(ftp() + "services:\n  - {name: six, mark: 6, addresses: [\"2001:db8::6\"], tcp: [80]}\n")
                let answer = try Answer(of: daemon.files.controlSocket, "POST", Endpoint.reload)
                let body = String(decoding: answer.body, as: UTF8.self)
                #expect(answer.code == 422 && body.contains("ipv6") && body.contains("stays in force"), "\(body)")
                try namespace.run("iptables-legacy", "-w", "-t", "mangle", "-F")
                #expect(try judge.untilRight() < .seconds(1), "what was in force is guarded")
                #expect(try daemon.status().state == .inSync)
                #expect(try daemon.stop() == 0)
                try namespace.run("iptables-legacy", "-w", "-t", "mangle", "-F")
                let second = try Daemon(in: namespace, wrapper: withoutIPv6)
                try second.expect("READY=1")
                #expect(try judge.isRight(), "the last good ones")
                #expect(try second.status().state == .degraded)
                #expect(try second.stop() == 0)
            }
        }

        @Test("Too few descriptors are told in a sentence", arguments: [4, 8, 12, 16, 40, 90])
        func descriptors(_ count: Int) async throws {
            try await NetworkNamespace.run { namespace in
                try Daemon.Files(namespace: namespace).write(ftp())
                let daemon = try Daemon(
                    in: namespace, wrapper: ["bash", "-c", "ulimit -n \(count); exec \"$@\"", "bash"])
                #expect(try daemon.program.wait(seconds: 10) == 1)
                #expect(daemon.program.output.contains("at most \(count) files may be open"), "\(daemon.program.output)")
            }
        }

        @Test("Without /proc the daemon says so and ends; it does not take other files than it was told to")
        func withoutProc() async throws {
            try await NetworkNamespace.run { namespace in
                try Daemon.Files(namespace: namespace).write(ftp())
                let daemon = try Daemon(
                    in: namespace, wrapper: ["unshare", "-m", "bash", "-c", "umount -l /proc; exec \"$@\"", "bash"])
                #expect(try daemon.program.wait(seconds: 10) == 1)
                #expect(daemon.program.output.contains("/proc is not mounted"), "\(daemon.program.output)")
                #expect(try !namespace.run("iptables-legacy-save").contains("fwmarkd"))
            }
        }

        @Test("Other programs write while the daemon starts: it tells of no drift before it has begun, and of its start first")
        func driftAtStart() async throws {
            try await NetworkNamespace.run { namespace in
                let flusher = try namespace.start(["bash", "-c", "while :; do iptables-legacy -w -t mangle -F; done"])
                for _ in 1...(isLong ? 60 : 10) {
                    let daemon = try Daemon.ready(in: namespace, ftp())
                    let kinds = try daemon.events().map(\.kind)
                    #expect(kinds.first == .started)
                    let applied = kinds.firstIndex(of: .applied) ?? kinds.endIndex
                    #expect(!kinds[..<applied].contains(.drift) && !kinds[..<applied].contains(.repaired), "\(kinds)")
                    #expect(try daemon.stop() == 0)
                }
                flusher.signal(SIGKILL)
            }
        }

        @Test("A state directory that cannot be made, or written: the daemon starts and says so, and so does reload")
        func stateDirectory() async throws {
            try await NetworkNamespace.run { namespace in
                let files = Daemon.Files(namespace: namespace)
                try Data().write(to: URL(fileURLWithPath: files.state))
                let daemon = try Daemon.ready(in: namespace, ftp())
                let message = "could not be kept for the next boot"
                #expect(try daemon.status().warnings.contains { $0.contains(message) })
                #expect(daemon.program.output.contains(message))
                try files.write(ftp("check-interval: 2s"))
                let (status, output) = try files.control("reload")
                #expect(status == 0 && output.contains(message), "\(output)")
                try FileManager.default.removeItem(atPath: files.state)
                #expect(try files.control("reconcile").status == 0)
                #expect(try !daemon.status().warnings.contains { $0.contains(message) }, "it is kept as soon as it can be")
                #expect(try daemon.stop() == 0)
            }
        }

        @Test("What is answered is at most 0.2 s old: counters go on")
        func freshAnswers() async throws {
            try await NetworkNamespace.run { namespace in
                try namespace.run(lines: "ip link set lo up\nip route add local 203.0.113.10 dev lo")
                let daemon = try Daemon.ready(
                    in: namespace, "services:\n  - {name: own, mark: 7, addresses: [203.0.113.10], tcp: [80], hooks: [output]}\n")
                var last: UInt64 = 0
                for _ in 1...5 {
                    _ = try namespace.end(of: ["bash", "-c", "exec 3<>/dev/tcp/203.0.113.10/80"])
                    usleep(250_000)
                    let packets = try daemon.status().services.first?.packets ?? 0
                    #expect(packets > last)
                    last = packets
                }
                #expect(try daemon.stop() == 0)
            }
        }
    }
}
