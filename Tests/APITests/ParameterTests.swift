// SPDX-License-Identifier: GPL-2.0-or-later
import API
import Foundation
import Rules
import Testing

@Suite("The parameters of requests")
struct ParameterTests {
    private func question(_ parameters: [String: String]) throws(InvalidParameter) -> PacketQuestion {
        try PacketQuestion { parameters[$0] }
    }

    private static let whole = ["protocol": "tcp", "source": "198.51.100.7:40000", "destination": "203.0.113.10:21"]

    @Test("A question for explain is read from its parameters")
    func readsQuestion() throws {
        let question = try question(Self.whole.merging(["hook": "input", "in-interface": "eth0", "kernel": "true"]) { $1 })
        #expect(question.protocolNumber == 6)
        #expect(question.sourcePort == 40000)
        #expect(question.hook == .input)
        #expect(question.view == .kernel)
        #expect(question.packet.transport == "tcp")
        let ipv6 = try self.question(["protocol": "udp", "source": "[2001:db8::7]:1", "destination": "[2001:db8::1]:53"])
        #expect(ipv6.destinationPort == 53)
        #expect(try self.question(["protocol": "50", "source": "192.0.2.1", "destination": "192.0.2.2"]).packet.transport == "esp")
    }

    @Test(
        "A parameter that makes no sense is named",
        arguments: [
            ("protocol", "bogus"), ("protocol", ""), ("protocol", "256"), ("source", "198.51.100.7"), ("source", "198.51.100.7:x"),
            ("source", "198.51.100.7:+1"), ("source", "2001:db8::7:1"), ("source", "[198.51.100.7]:1"),
            ("destination", "[2001:db8::1]:21"),
            ("destination", "203.0.113.10:65536"), ("in-interface", "eth+"), ("out-interface", "a/b"), ("hook", "forward"),
            ("kernel", "yes"),
        ])
    func refuses(_ name: String, _ value: String) {
        do throws(InvalidParameter) {
            _ = try question(Self.whole.merging([name: value]) { $1 })
            Issue.record("\(name)=\(value) is accepted")
        } catch {
            #expect(error.name == name)
        }
    }

    @Test("Ports are for protocols that have them, and no others")
    func ports() {
        #expect(throws: InvalidParameter.self) {
            try question(["protocol": "esp", "source": "192.0.2.1:1", "destination": "192.0.2.2"])
        }
        #expect(throws: InvalidParameter.self, "of two families") {
            try question(["protocol": "esp", "source": "192.0.2.1", "destination": "2001:db8::1"])
        }
    }

    private var status: Status {
        var services: [ServiceStatus] = []
        for number in 0..<300 {
            services.append(
                ServiceStatus(
                    name: "svc-\(number)", mark: "\(1000 + number)", addresses: ["10.0.\(number / 100).\(number % 100)"],
                    ports: ["tcp/80"]))
        }
        services[7] = ServiceStatus(
            name: "Net", mark: "0x500/0xff00", addresses: ["203.0.113.32/28", "!203.0.113.40"], ports: ["any"])
        return Status(
            state: .inSync, version: "1", pid: 1, started: Date(timeIntervalSince1970: 0),
            configuration: ConfigurationStatus(path: "/f", sha256: "", loaded: Date(timeIntervalSince1970: 0)), services: services,
            masquerades: [MasqueradeStatus(name: "out", sources: ["10.0.0.0/8"], services: ["svc-9"], ports: [], to: "masquerade")])
    }

    @Test(
        "Services are found by name, address and mark",
        arguments: [
            ("svc-29", 11), ("net", 1), ("1009", 1), ("0x3f1", 1), ("0x500/0xff00", 1), ("10.0.2.5", 1), ("10.0.2.0/24", 100),
            ("203.0.113.33", 1), ("nothing", 0), ("10.0.1", 100),
        ])
    func finds(_ match: String, _ count: Int) throws {
        let part = try StatusQuery { $0 == "match" ? match : nil }.part(of: status)
        #expect(part.services.count == count)
        #expect(part.matchingServices == count)
        #expect(part.serviceCount == 300)
    }

    @Test("A part is as long as was asked for, and says how much there is")
    func pages() throws {
        let parameters = ["limit": "100", "offset": "250"]
        let part = try StatusQuery { parameters[$0] }.part(of: status)
        #expect(part.services.count == 50)
        #expect(part.services.first?.name == "svc-250")
        #expect(part.matchingServices == 300)
        #expect(throws: InvalidParameter.self) { try StatusQuery { $0 == "limit" ? "-1" : nil } }
    }
}
