// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import NamespaceSupport
import RandomNumbers
import Reconciler
import Rules
import Testing

private func configuration(to translation: String, _ family: Family) -> String {
    """
    ftp:
      - name: ftp
        mark: 21
        addresses: [203.0.113.10, "2001:db8::10"]
        passive-ports: 10000-20000
    masquerade:
      - name: data
        sources: [\(family == .ipv4 ? "10.11.12.0/24" : "\"2001:db8:11::/64\"")]
        tcp: [20]
        to: "\(translation)"

    """
}

@Suite("What packets meet", .serialized, .enabled(if: NetworkNamespace.isAvailable, "needs root"))
struct PacketTests {
    private static let ports: [(port: UInt16, isMarked: Bool)] = [
        (20, false), (21, true), (22, false), (9999, false), (10000, true), (15000, true), (20000, true), (20001, false),
        (65535, false),
    ]

    @Test("The service's ports are marked and no others: by counters, and by where routing sends them", arguments: Family.allCases)
    func marks(_ family: Family) async throws {
        let addresses = try Testbed.addresses(family)
        try await Testbed.run { bed in
            try await bed.director.enter {
                try await bed.director.apply(configuration(to: "masquerade", family))
                try bed.countMarks(family)
            }
            let listeners = try await bed.server.enter { try Self.ports.map { try TestSocket.listener(family, port: $0.port) } }
            for (port, isMarked) in Self.ports {
                for address in [addresses.virtual, addresses.other] {
                    let before = try await bed.marks(family)
                    let hasReached = try await bed.client.enter { try connects(to: address, port) }
                    let after = try await bed.marks(family)
                    #expect(hasReached == (isMarked && address == addresses.virtual), "TCP to \(address) port \(port)")
                    #expect(
                        after.subtracting(before) == ["tcp \(hasReached ? "0x15" : "0x0")": 1], "TCP to \(address) port \(port)")
                }
                let before = try await bed.marks(family)
                try await bed.client.enter { try TestSocket.datagrams(family).send(to: addresses.virtual, port: port) }
                #expect(try await bed.marks(family).subtracting(before) == ["udp 0x0": 1], "UDP to port \(port)")
            }
            // Without our rules nothing is marked, and nothing arrives: there is no other way to the real server.
            try await bed.director.enter { _ = try await bed.director.reconciler().0.reconcile(to: Ruleset()) }
            for (port, _) in Self.ports {
                #expect(try await bed.client.enter { try connects(to: addresses.virtual, port) } == false, "port \(port)")
            }
            _ = listeners
        }
    }

    @Test(
        "What a real server sends from port 20 comes from the director, or from the address asked for; from port 21 it is untouched",
        arguments: [false, true], Family.allCases)
    func translates(_ hasAddress: Bool, _ family: Family) async throws {
        let addresses = try Testbed.addresses(family)
        let wanted = "\(hasAddress ? addresses.secondary : addresses.outside)"
        let text = configuration(to: hasAddress ? wanted : "masquerade", family)
        try await Testbed.run { bed in
            try await bed.director.enter { try await bed.director.apply(text) }
            let listener = try await bed.client.enter { try TestSocket.listener(family, port: 40000) }
            let segments = try await bed.client.enter { try TestSocket.segments(family) }
            let connection = try await bed.server.enter { try connectToClient(family, from: 20) }
            try expectPeer(of: listener, wanted, 20)
            _ = connection
            // From port 21 the segment arrives as it was sent, and for the answer there is no way.
            let hasNoAnswer = try await bed.server.enter { try isSilent(family, from: 21) }
            #expect(hasNoAnswer)
            try expectSegment(on: segments, fromServerOf: family, 21)
            #expect(throws: TestSocket.Refusal.timeout) { try listener.accept(seconds: 0) }
        }
    }

    @Test("A rule that stays counts every packet while others come and go around it", arguments: Family.allCases)
    func countersUnderTraffic(_ family: Family) async throws {
        let virtual = try Testbed.addresses(family).virtual
        try await NetworkNamespace.run { namespace in
            try namespace.run("ip", "link", "set", "lo", "up")
            try namespace.run("ip", "addr", "add", "\(virtual)", "dev", "lo")
            try await namespace.apply(crowd(before: 2, after: 2))
            let receiver = try TestSocket.datagrams(family, port: 5353)
            // A program of its own, so that packets pass while a commit is made.
            let stop = namespace.directory.path + "/stop"
            let sender = try namespace.start([
                "bash", "-c",
                "n=0; until [ -e \(stop) ]; do printf abcd >/dev/udp/\(virtual)/5353 && n=$((n + 1)); done; echo $n",
            ])
            var random = SeededNumbers(1)
            for _ in 1...60 {
                try await namespace.apply(
                    crowd(before: .random(in: 0...20, using: &random), after: .random(in: 0...20, using: &random)))
            }
            try Data().write(to: URL(fileURLWithPath: stop))
            #expect(try sender.wait() == 0)
            let sent = Int(sender.output.split(separator: "\n").first ?? "") ?? 0
            _ = receiver
            let rules = try SavedTables(family, in: namespace).ours.filter { $0.text.contains("--comment dns") }
            let size = (family == .ipv4 ? 20 : 40) + 8 + 4
            #expect(rules.map(\.counters) == ["\(sent):\(sent * size)"])
            #expect(sent > 100)
        }
    }
}

/// The service of port 5353 between others.
private func crowd(before: Int, after: Int) -> String {
    func service(_ number: Int) -> String {
        "  - {name: s\(number), mark: \(number), addresses: [198.51.100.\(number), \"2001:db8:1::\(number)\"], tcp: [80]}\n"
    }
    let dns = "  - {name: dns, mark: 53, addresses: [203.0.113.10, \"2001:db8::10\"], udp: [5353]}\n"
    return "services:\n" + (0..<before).map { service(100 + $0) }.joined() + dns + (0..<after).map { service(150 + $0) }.joined()
}

/// Whether the port can be reached over TCP.
///
/// - Throws: when the answer is silence, which no case of these tests is to end in.
func connects(to address: Address, _ port: UInt16) throws -> Bool {
    do {
        _ = try TestSocket.connect(to: address, port: port)
        return true
    } catch TestSocket.Refusal.errno(ECONNREFUSED) {
        return false
    }
}

/// Connects from the port of the real server to the client.
private func connectToClient(_ family: Family, from port: UInt16, seconds: Double = 2) throws -> TestSocket {
    let addresses = try Testbed.addresses(family)
    return try TestSocket.connect(to: addresses.client, port: 40000, from: addresses.server, sourcePort: port, seconds: seconds)
}

/// Whether such a connection gets no answer.
private func isSilent(_ family: Family, from port: UInt16) throws -> Bool {
    do {
        _ = try connectToClient(family, from: port, seconds: 0.3)
        return false
    } catch TestSocket.Refusal.timeout {
        return true
    }
}

/// Takes a connection, and expects that it comes from there.
private func expectPeer(of listener: TestSocket, _ address: String, _ port: UInt16) throws {
    let (_, peer, peerPort) = try listener.accept()
    #expect("\(peer)" == address)
    #expect(peerPort == port)
}

/// Waits for a segment from the port, and expects that it bears the real server's own address.
private func expectSegment(on segments: TestSocket, fromServerOf family: Family, _ port: UInt16) throws {
    let source = try segments.source(ofSegmentFrom: port)
    let server = try Testbed.addresses(family).server
    #expect(source == server)
}

extension Testbed {
    /// Puts rules after our jump that count new connections and datagrams from the client by their mark.
    fileprivate func countMarks(_ family: Family) throws {
        for mark in ["0x15", "0x0"] {
            for words in ["-p tcp --syn", "-p udp"] {
                let rule = "-t mangle -A PREROUTING -i outside \(words) -m mark --mark \(mark) -m comment --comment count"
                try director.run(["\(family.command)-legacy"] + rule.split(separator: " ").map(String.init))
            }
        }
    }

    /// What these rules have counted, by protocol and mark.
    fileprivate func marks(_ family: Family) async throws -> [String: Int] {
        try await director.enter {
            var counts: [String: Int] = [:]
            for rule in try SavedTables(family, in: director).foreign where rule.text.contains("--comment count") {
                let words = rule.text.split(separator: " ")
                guard let place = words.firstIndex(of: "--mark"), let packets = Int(rule.counters.prefix { $0 != ":" }) else {
                    continue
                }
                counts["\(rule.text.contains("-p tcp") ? "tcp" : "udp") \(words[place + 1])"] = packets
            }
            return counts
        }
    }
}

extension [String: Int] {
    /// What has grown, and by how much.
    fileprivate func subtracting(_ earlier: [String: Int]) -> [String: Int] {
        reduce(into: [:]) { result, count in
            let growth = count.value - (earlier[count.key] ?? 0)
            if growth != 0 { result[count.key] = growth }
        }
    }
}
