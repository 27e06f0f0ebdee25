// SPDX-License-Identifier: GPL-2.0-or-later
import API
import Glibc
import SystemCalls

extension ProcessUse {
    /// What this process uses; nil where /proc is not mounted.
    static func own() -> ProcessUse? {
        // statm: size resident shared …, in pages (proc(5)).
        guard let line = try? RegularFile.read("/proc/self/statm", limit: 4096) else { return nil }
        let pages = String(decoding: line, as: UTF8.self).split(separator: " ").dropFirst().first.flatMap { UInt64($0) } ?? 0
        // Without the directory's own descriptor.
        let openFiles = max(0, ((try? Directory.names(in: "/proc/self/fd").count) ?? 1) - 1)
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
        return ProcessUse(
            residentBytes: pages.multipliedReportingOverflow(by: UInt64(max(0, sysconf(CInt(_SC_PAGESIZE))))).partialValue,
            openFiles: openFiles, cpuSeconds: seconds(usage.ru_utime) + seconds(usage.ru_stime))
    }
}
