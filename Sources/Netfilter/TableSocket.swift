// SPDX-License-Identifier: GPL-2.0-or-later
import CNetfilter
import Glibc
import Rules

/// A raw socket, as libiptc opens one, for the questions that need no handle: sizes, entries, revisions.
struct TableSocket: ~Copyable {
    private let descriptor: CInt
    let family: Family

    /// Opens the socket in the calling thread's network namespace.
    init(_ family: Family) throws(NetfilterError) {
        self.family = family
        descriptor = socket(family == .ipv4 ? AF_INET : AF_INET6, CInt(SOCK_RAW.rawValue | UInt32(O_CLOEXEC)), CInt(IPPROTO_RAW))
        guard descriptor >= 0 else { throw .last("opening a raw \(family) socket") }
    }

    deinit { close(descriptor) }

    private var level: CInt { CInt(family == .ipv4 ? IPPROTO_IP : IPPROTO_IPV6) }

    /// `IPT_SO_GET_INFO` or `IP6T_SO_GET_INFO`. Creates the table in a namespace that has not got it yet.
    func info(_ table: Table) throws(NetfilterError) -> ipt_getinfo {
        // ip6t_getinfo has the same members (linux/netfilter_ipv6/ip6_tables.h).
        var info = ipt_getinfo()
        withUnsafeMutableBytes(of: &info.name) { copyName(table.rawValue, into: $0) }
        var length = socklen_t(MemoryLayout<ipt_getinfo>.size)
        let option = family == .ipv4 ? fwmarkd_ipt_so_get_info : fwmarkd_ip6t_so_get_info
        guard getsockopt(descriptor, level, option, &info, &length) == 0 else {
            throw tableError("reading the size of \(TableID(family, table))", table)
        }
        return info
    }

    /// The whole table: `IPT_SO_GET_ENTRIES` or `IP6T_SO_GET_ENTRIES`.
    func image(_ table: Table, _ buffers: TableBuffers? = nil) throws(NetfilterError) -> TableImage {
        let id = TableID(family, table)
        let (info, bytes) = try entries(table) { size in
            buffers?.take(size, for: id) ?? [UInt8](repeating: 0, count: size)
        }
        return try TableImage(id, bytes, from: entriesStart, info, buffers: buffers)
    }

    /// Where entries begin in the answer.
    private var entriesStart: Int { family == .ipv4 ? fwmarkd_ipt_entries_offset() : fwmarkd_ip6t_entries_offset() }

    private func entries(_ table: Table, _ buffer: (Int) -> [UInt8]) throws(NetfilterError) -> (info: ipt_getinfo, bytes: [UInt8]) {
        let option = family == .ipv4 ? fwmarkd_ipt_so_get_entries : fwmarkd_ip6t_so_get_entries
        let doing = "reading \(TableID(family, table))"
        // Between asking the size and reading, the table may change its size (EAGAIN): a bounded number of attempts.
        for _ in 0..<100 {
            let info = try self.info(table)
            var bytes = buffer(entriesStart + Int(info.size))
            let result = bytes.withUnsafeMutableBytes { bytes -> CInt in
                // ip6t_get_entries has the same members.
                var head = ipt_get_entries()
                withUnsafeMutableBytes(of: &head.name) { copyName(table.rawValue, into: $0) }
                head.size = info.size
                withUnsafeBytes(of: &head) { bytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0.prefix(bytes.count))) }
                var length = socklen_t(bytes.count)
                return getsockopt(descriptor, level, option, bytes.baseAddress, &length)
            }
            guard result == 0 else {
                guard errno == EAGAIN else { throw tableError(doing, table) }
                continue
            }
            // A table of the same size may have come between; its chains may begin elsewhere.
            let after = try self.info(table)
            let isOne = withUnsafeBytes(of: info) { before in withUnsafeBytes(of: after) { before.elementsEqual($0) } }
            if isOne { return (info, bytes) }
        }
        throw NetfilterError(errno: EAGAIN, doing)
    }

    /// Throws what keeps the family's legacy x_tables from answering.
    func checkSupport() throws(NetfilterError) {
        var request = xt_get_revision()
        withUnsafeMutableBytes(of: &request.name) { copyName("MARK", into: $0) }
        request.revision = 2
        var length = socklen_t(MemoryLayout<xt_get_revision>.size)
        let option = family == .ipv4 ? fwmarkd_ipt_so_get_revision_target : fwmarkd_ip6t_so_get_revision_target
        let result = getsockopt(descriptor, level, option, &request, &length)
        guard result == 0 || errno == ENOENT || errno == EPROTONOSUPPORT else { throw .last("asking for the \(family) tables") }
    }

    /// Whether the kernel has the match or target in the revision.
    ///
    /// - Returns: nil if it has, otherwise what is missing.
    func missing(_ part: Extension) -> String? {
        var request = xt_get_revision()
        withUnsafeMutableBytes(of: &request.name) { copyName(part.name, into: $0) }
        request.revision = part.revision
        var length = socklen_t(MemoryLayout<xt_get_revision>.size)
        let option =
            switch (part.kind, family) {
            case (.match, .ipv4): fwmarkd_ipt_so_get_revision_match
            case (.match, .ipv6): fwmarkd_ip6t_so_get_revision_match
            case (.target, .ipv4): fwmarkd_ipt_so_get_revision_target
            case (.target, .ipv6): fwmarkd_ip6t_so_get_revision_target
            }
        guard getsockopt(descriptor, level, option, &request, &length) != 0 else { return nil }
        switch errno {
        case EPROTONOSUPPORT: return "the kernel's \(part.kind) \(part.name) has no revision \(part.revision) for \(family)"
        case ENOENT:
            return "the kernel has no \(part.kind) \(part.name) for \(family); load the module xt_\(part.name)"
        default: return nil
        }
    }

    private func tableError(_ doing: String, _ table: Table) -> NetfilterError { .table(TableID(family, table), doing) }
}

extension NetfilterError {
    /// The error that opening or reading the table has just left in errno, while `doing`.
    static func table(_ id: TableID, _ doing: String) -> NetfilterError {
        let number = Glibc.errno
        guard number == ENOENT else { return NetfilterError(errno: number, doing) }
        let module = "\(id.family == .ipv4 ? "iptable" : "ip6table")_\(id.table)"
        return NetfilterError(
            .notSupported, errno: number, "\(doing): the kernel has no such table; load the module \(module)")
    }
}

/// Writes the name, its NUL and zeros into a field of a C structure, cut off where the field ends.
func copyName(_ name: String, into field: UnsafeMutableRawBufferPointer) {
    _ = field.initializeMemory(as: UInt8.self, repeating: 0)
    for (index, byte) in name.utf8.prefix(field.count - 1).enumerated() { field[index] = byte }
}
