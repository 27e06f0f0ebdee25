// SPDX-License-Identifier: GPL-2.0-or-later
import Glibc

/// An entry for the journal by its own protocol, with fields (systemd's "Native Journal Protocol").
package struct JournalEntry: Sendable, Hashable {
    /// The fields in order: names of capital letters, digits and `_`, and their values.
    package private(set) var fields: [(name: String, value: String)] = []

    /// An entry of this priority (syslog(3), 0 to 7) and text.
    package init(priority: CInt, message: String) {
        add("PRIORITY", "\(priority)")
        add("SYSLOG_IDENTIFIER", "fwmarkd")
        add("MESSAGE", message)
    }

    /// Adds a field.
    package mutating func add(_ name: String, _ value: String) { fields.append((name, value)) }

    /// The kind of event that the entry is about, with the identifier that the catalog explains it by.
    package mutating func add(event kind: String) {
        add("FWMARKD_EVENT", kind)
        if let identifier = JournalEntry.messageIDs[kind] { add("MESSAGE_ID", identifier) }
    }

    /// One identifier for each kind of event; systemd/catalog/fwmarkd.catalog explains them. They never change.
    package static let messageIDs = [
        "started": "5f1c0d2a7b9e4c3d8a6f10e2b4d70101", "stopping": "5f1c0d2a7b9e4c3d8a6f10e2b4d70102",
        "applied": "5f1c0d2a7b9e4c3d8a6f10e2b4d70103", "reload-refused": "5f1c0d2a7b9e4c3d8a6f10e2b4d70104",
        "fallback": "5f1c0d2a7b9e4c3d8a6f10e2b4d70105", "drift": "5f1c0d2a7b9e4c3d8a6f10e2b4d70106",
        "repaired": "5f1c0d2a7b9e4c3d8a6f10e2b4d70107", "contended": "5f1c0d2a7b9e4c3d8a6f10e2b4d70108",
        "calm": "5f1c0d2a7b9e4c3d8a6f10e2b4d70109", "failed": "5f1c0d2a7b9e4c3d8a6f10e2b4d7010a",
    ]

    /// The datagram: a value with a line break goes with its length, in little-endian order.
    package var bytes: [UInt8] {
        var bytes: [UInt8] = []
        for (name, value) in fields {
            bytes += name.utf8
            if value.utf8.contains(UInt8(ascii: "\n")) {
                bytes.append(UInt8(ascii: "\n"))
                withUnsafeBytes(of: UInt64(value.utf8.count).littleEndian) { bytes += $0 }
            } else {
                bytes.append(UInt8(ascii: "="))
            }
            bytes += value.utf8
            bytes.append(UInt8(ascii: "\n"))
        }
        return bytes
    }

    /// Whether the entries have the same fields.
    package static func == (left: JournalEntry, right: JournalEntry) -> Bool { left.bytes == right.bytes }

    /// The hash of the fields.
    package func hash(into hasher: inout Hasher) { hasher.combine(bytes) }

    /// Sends the entry to a journal's socket, without ever waiting for it.
    ///
    /// - Returns: whether it was sent.
    package func send(to path: String = "/run/systemd/journal/socket") -> Bool {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let name = Array(path.utf8)
        guard name.count < MemoryLayout.size(ofValue: address.sun_path) else { return false }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
        let descriptor = socket(AF_UNIX, CInt(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        let bytes = bytes
        let sent = withUnsafePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(descriptor, bytes, bytes.count, CInt(MSG_NOSIGNAL), $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        return sent == bytes.count
    }
}
