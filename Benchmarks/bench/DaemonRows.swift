// SPDX-License-Identifier: GPL-2.0-or-later
import CBench
import Glibc

/// The daemon as an operator meets it: how long it takes to start, to bring a rule back, and what it occupies.
struct DaemonRows {
    struct Result {
        var start = Samples(), restore = Samples()
        /// A rule that was deleted under the lock, and one that was altered without it.
        var back = Samples(), right = Samples()
        /// KiB.
        var memory = Samples()
    }

    let programs: Programs
    let runs: Int

    /// The example of DESIGN.md section 1.
    private let file = """
        ftp:
          - {name: ftp, mark: 21, addresses: [203.0.113.10], passive-ports: 10000-20000, active: {real-servers: [10.11.12.0/24]}}

        """
    private let rules = """
        *nat
        -A POSTROUTING -p tcp -s 10.11.12.0/24 --sport 20 -j MASQUERADE
        COMMIT
        *mangle
        -A PREROUTING -p tcp -d 203.0.113.10/32 --dport 21 -j MARK --set-mark 21
        -A PREROUTING -p tcp -d 203.0.113.10/32 --dport 10000:20000 -j MARK --set-mark 21
        COMMIT

        """

    /// Measures with so many services; without a workload with the example.
    func measure(_ workload: Workload?) throws -> Result {
        let path = try Scratch.write("daemon.yaml", workload?.configuration() ?? file)
        let restore = try Scratch.write("three.restore", rules)
        var result = Result()
        for _ in 0..<runs {
            try newNamespace()
            result.restore.add(try Program.run(["iptables-legacy-restore"], input: restore))

            try newNamespace()
            let notifications = try NotifySocket()
            let start = ContinuousClock.now
            let daemon = try Program(
                [
                    programs.fwmarkd, "--config", path, "--state-directory", Scratch.path("state"), "--runtime-directory",
                    Scratch.path("run"),
                ])
            try notifications.waitForReady()
            result.start.add((ContinuousClock.now - start) / .milliseconds(1))
            for _ in 0..<3 { result.back.add(try timeUntilBack()) }
            result.right.add(try timeUntilRight())
            result.memory.add(try residentKiB(daemon.pid))
            daemon.end(SIGTERM)
        }
        return result
    }

    /// Deletes a rule, and waits for it: milliseconds from the kernel's having one less to its having it again.
    private func timeUntilBack() throws -> Double {
        let whole = bench_entries("mangle")
        var gone = ContinuousClock.now
        let deletion = try Program(["iptables-legacy", "-t", "mangle", "-D", "fwmarkd-mark", "1"])
        var hasEnded = false
        // On a busy machine the gap may pass between two looks; then the time of the whole deletion counts.
        _ = try wait(for: "the deletion") {
            if bench_entries("mangle") < whole {
                gone = .now
                return true
            }
            if !hasEnded { hasEnded = try deletion.hasSucceeded() }
            return hasEnded
        }
        let back = try wait(for: "the daemon's repair") { bench_entries("mangle") == whole }
        if !hasEnded { _ = try wait(for: "the deletion's end") { try deletion.hasSucceeded() } }
        return (back - gone) / .milliseconds(1)
    }

    /// Alters a mark without the lock, and waits until it is right again: milliseconds.
    private func timeUntilRight() throws -> Double {
        let place = bench_alter_mark()
        let altered = bench_mark(place)
        let start = ContinuousClock.now
        guard place >= 0, altered >= 0 else { throw Failure("no mark could be altered") }
        return (try wait(for: "the repair of a mark", pause: 2000) { bench_mark(place) != altered } - start) / .milliseconds(1)
    }

    private func wait(for what: String, pause: UInt32 = 20, _ condition: () throws -> Bool) throws -> ContinuousClock.Instant {
        let patience = ContinuousClock.now + .seconds(30)
        while ContinuousClock.now < patience {
            if try condition() { return .now }
            usleep(pause)
        }
        throw Failure("\(what) did not happen within 30 s")
    }

    private func residentKiB(_ pid: pid_t) throws -> Double {
        let line = try Scratch.read("/proc/\(pid)/status").split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
        guard let words = line?.split(whereSeparator: { $0 == " " || $0 == "\t" }), words.count > 1,
            let kibibytes = Double(words[1])
        else {
            throw Failure("no VmRSS")
        }
        return kibibytes
    }
}

/// The socket on which systemd would hear that the daemon is ready (sd_notify(3)).
private final class NotifySocket {
    private let descriptor: CInt

    init() throws {
        let path = Scratch.path("notify")
        unlink(path)
        descriptor = socket(AF_UNIX, CInt(SOCK_DGRAM.rawValue | UInt32(O_CLOEXEC)), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
        let isBound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        var patience = timeval(tv_sec: 30, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        guard isBound == 0 else { throw Failure("the notification socket: \(String(cString: strerror(errno)))") }
        setenv("NOTIFY_SOCKET", path, 1)
    }

    deinit {
        unsetenv("NOTIFY_SOCKET")
        close(descriptor)
    }

    func waitForReady() throws {
        var bytes = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = recv(descriptor, &bytes, bytes.count, 0)
            guard count > 0 else {
                throw Failure("fwmarkd was not ready within 30 s: \((try? Scratch.read(Scratch.path("errors"))) ?? "")")
            }
            if String(decoding: bytes[..<count], as: UTF8.self).split(separator: "\n").contains("READY=1") { return }
        }
    }
}
