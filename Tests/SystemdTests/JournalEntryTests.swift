// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Glibc
import Systemd
import Testing

@Suite("Entries of the journal")
struct JournalEntryTests {
    @Test("A value of one line is written after =, one of several with its length")
    func bytes() {
        var entry = JournalEntry(priority: 4, message: "a\nb")
        entry.add(event: "drift")
        let text =
            "PRIORITY=4\nSYSLOG_IDENTIFIER=fwmarkd\nMESSAGE\n\u{3}\0\0\0\0\0\0\0a\nb\nFWMARKD_EVENT=drift\n"
            + "MESSAGE_ID=5f1c0d2a7b9e4c3d8a6f10e2b4d70106\n"
        #expect(entry.bytes == Array(text.utf8))
    }

    @Test("An entry arrives whole, and one without a reader is not waited for")
    func sends() throws {
        let path = NSTemporaryDirectory() + "journal-\(UUID().uuidString)"
        defer { unlink(path) }
        let entry = JournalEntry(priority: 5, message: "one")
        #expect(!entry.send(to: path))
        let descriptor = socket(AF_UNIX, CInt(SOCK_DGRAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let isBound = withUnsafePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(isBound == 0)
        #expect(entry.send(to: path))
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        #expect(Array(buffer.prefix(max(0, count))) == entry.bytes)
        // Until its queue is full.
        for _ in 0..<10_000 where !entry.send(to: path) { return }
        Issue.record("the queue is never full")
    }

    @Test("The catalog explains every kind of event, and nothing else")
    func catalog() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "../..")
        let text = try String(contentsOf: root.appending(path: "systemd/catalog/fwmarkd.catalog"), encoding: .utf8)
        let explained = text.split(separator: "\n").filter { $0.hasPrefix("-- ") }.map { String($0.dropFirst(3)) }
        #expect(Set(explained) == Set(JournalEntry.messageIDs.values))
        #expect(explained.count == JournalEntry.messageIDs.count)
    }
}
