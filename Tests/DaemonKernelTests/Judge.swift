// SPDX-License-Identifier: GPL-2.0-or-later
import API
import DaemonSupport
import Foundation
import NamespaceSupport

/// Tests of the real daemon on the real kernel. The judge is `iptables-legacy-save`, which knows nothing of fwmarkd and takes no lock.
struct Judge {
    let namespace: NetworkNamespace
    private let wanted: Set<String>

    /// Takes what is in the tables now for right.
    init(_ namespace: NetworkNamespace) throws {
        self.namespace = namespace
        wanted = try Judge.ours(namespace)
    }

    /// Whether everything of ours is in the tables, and nothing else of ours.
    func isRight() throws -> Bool { try Judge.ours(namespace) == wanted }

    /// Waits until that is so, and tells how long it took.
    func untilRight(seconds: Double = 10) throws -> Duration {
        let start = ContinuousClock.now
        while try !isRight() {
            guard start.duration(to: .now) < .seconds(seconds) else {
                throw Failure("not right after \(seconds) s: \(try Judge.ours(namespace))")
            }
            usleep(1000)
        }
        return start.duration(to: .now)
    }

    /// Looks again and again, and tells for how much of the time all was right, and the longest time in which it was not.
    func watch(for length: Duration) throws -> (inForce: Double, longest: Duration) {
        let start = ContinuousClock.now
        var (last, wrongSince) = (start, ContinuousClock.Instant?.none)
        var (wrong, longest) = (Duration.zero, Duration.zero)
        while last < start + length {
            let isRight = try isRight()
            let now = ContinuousClock.now
            if let since = wrongSince {
                wrong += last.duration(to: now)
                longest = max(longest, since.duration(to: now))
            }
            wrongSince = isRight ? nil : wrongSince ?? now
            last = now
            usleep(3000)
        }
        return (1 - wrong / start.duration(to: last), longest)
    }

    /// Our rules and jumps, without counters.
    private static func ours(_ namespace: NetworkNamespace) throws -> Set<String> {
        Set(
            try ["mangle", "nat"].flatMap { table in
                try namespace.run("iptables-legacy-save", "-t", table).split(separator: "\n")
                    .filter { $0.hasPrefix("-A") && $0.contains("fwmarkd-") }.map { "\(table) \($0)" }
            })
    }
}

/// One FTP service with a translation.
func ftp(_ daemon: String = "") -> String {
    (daemon.isEmpty ? "" : "daemon: {\(daemon)}\n") + ftpEntry
}

extension Daemon {
    /// Waits until it has looked at the kernel again after what it has written last.
    func settle() throws {
        try wait { status in (status.lastVerified ?? .distantPast) > (status.lastReconcile?.time ?? .distantPast) }
    }

    /// Waits until it watches the file that is at the path now, by inotify; it makes one where there is none.
    func untilWatching(_ path: String) throws {
        // fdinfo of proc(5): `inotify wd:1 ino:1fe4b sdev:…`, in hexadecimal.
        func inode(_ path: String) -> String? {
            var status = stat()
            return stat(path, &status) == 0 ? " ino:" + String(status.st_ino, radix: 16) + " " : nil
        }
        // Far less than the five seconds after which the daemon looks by itself.
        let deadline = ContinuousClock.now + .seconds(2.5)
        let info = "/proc/\(program.process)/fdinfo"
        while true {
            let watches = try FileManager.default.contentsOfDirectory(atPath: info)
                .flatMap { ((try? String(contentsOfFile: "\(info)/\($0)", encoding: .utf8)) ?? "").split(separator: "\n") }
                .filter { $0.hasPrefix("inotify") }
            if let own = inode(path), watches.contains(where: { $0.contains(own) }) { return }
            guard ContinuousClock.now < deadline else { throw Failure("\(path) is not watched: \(watches)") }
            usleep(1000)
        }
    }

    /// Whether it ignores the signal, or catches it.
    func minds(_ signal: CInt) throws -> Bool {
        // SigIgn and SigCgt of proc(5).
        try String(contentsOfFile: "/proc/\(program.process)/status", encoding: .utf8).split(separator: "\n").contains { line in
            guard line.hasPrefix("SigIgn:") || line.hasPrefix("SigCgt:") else { return false }
            return UInt64(line.dropFirst(7).trimmingPrefix { $0 == "\t" }, radix: 16).map { $0 >> (signal - 1) & 1 == 1 } ?? false
        }
    }

    /// The processor time it has used so far.
    func processorTime() throws -> Duration {
        let line = try String(contentsOfFile: "/proc/\(program.process)/stat", encoding: .utf8)
        // utime and stime are fields 14 and 15 of proc(5); the second field may have blanks.
        let fields = line.drop { $0 != ")" }.split(separator: " ")
        guard fields.count > 13, let user = Int(fields[12]), let system = Int(fields[13]) else { throw Failure(line) }
        return .milliseconds((user + system) * 1000 / sysconf(Int32(_SC_CLK_TCK)))
    }
}
