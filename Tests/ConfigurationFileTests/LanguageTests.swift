// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Rules
import Testing

@Suite("The language of the file")
struct LanguageTests {
    @Test("The whole language is read as it is meant")
    func whole() throws {
        let loaded = try load(wholeLanguage)
        #expect(try loaded.configuration.daemon == daemon())
        #expect(try loaded.configuration.ftp == ftp())
        #expect(try loaded.configuration.services == services())
        #expect(try loaded.configuration.masquerades == masquerades())
        #expect((0..<3).map { loaded.position(ofFTP: $0).line } == [10, 19, 25])
        #expect((0..<2).map { loaded.position(ofService: $0).line } == [34, 44])
        #expect((0..<3).map { loaded.position(ofMasquerade: $0).description } == ["f:51:5", "f:62:5", "f:66:5"])
        #expect(loaded.position(ofMarking: "everything")?.line == 44)
        #expect(loaded.position(ofMarking: "ftp")?.line == 10)
        #expect(loaded.position(ofTranslation: "followed")?.line == 25)
        #expect(loaded.position(ofTranslation: "six")?.line == 62)
        #expect(loaded.position(ofTranslation: "passive-only") == nil)
    }

    private func daemon() throws -> DaemonSettings {
        var daemon = DaemonSettings()
        daemon.onDrift = .report
        daemon.onStop = .remove
        daemon.hookPosition = .last
        daemon.checkInterval = .milliseconds(250)
        daemon.lockTimeout = .seconds(1)
        daemon.httpListen = ListenAddress(address: Address(ipv6: 1), port: 9780)
        return daemon
    }

    private func ftp() throws -> [FTPService] {
        [
            FTPService(
                name: "ftp", mark: try Mark(21), addresses: [prefix("203.0.113.10"), prefix("2001:db8::10")],
                controlPorts: [2121, 990], passivePorts: PortRange(10000, 20000),
                active: .init(
                    realServers: [prefix("10.11.12.0/24")], dataPorts: [2020, 989], to: .address(Address(ipv4: 0xcb00_710a)))),
            FTPService(
                name: "passive-only", mark: try Mark(22), addresses: [prefix("203.0.113.11")], passivePorts: .all,
                forwarding: .tunnel, active: .init(realServers: [])),
            FTPService(
                name: "followed", mark: try Mark(23), addresses: [prefix("203.0.113.12")], passivePorts: PortRange(1024, 65535),
                active: .init(realServers: [prefix("10.11.12.0/24")], to: .virtualAddress)),
        ]
    }

    private func services() throws -> [Service] {
        [
            Service(
                name: "web", mark: try Mark(0x100, mask: 0xff00),
                addresses: Selection(
                    [prefix("203.0.113.20"), prefix("2001:db8::20"), prefix("203.0.113.32/28")], excluding: [prefix("203.0.113.40")]
                ),
                traffic: Traffic(
                    tcp: [PortRange(80), PortRange(443), PortRange(8000, 8099)], udp: [.all], sctp: [.all], protocols: [50, 51, 47]),
                sources: Selection([], excluding: [prefix("10.0.0.0/8"), prefix("fd00::/8")]),
                sourceMACs: Selection([MACAddress(bits: 0x0200_5e10_0003)], excluding: [MACAddress(bits: 0x0200_5e10_0002)]),
                inInterfaces: Selection(
                    [try InterfacePattern(parsing: "eth+")], excluding: [try InterfacePattern(parsing: "eth1")])),
            Service(
                name: "everything", mark: try Mark(0x100, mask: 0xff00),
                addresses: Selection([prefix("203.0.113.64/26")], excluding: [prefix("203.0.113.70")]),
                traffic: Traffic(isEverything: true), hooks: [.prerouting, .input, .output]),
        ]
    }

    private func masquerades() throws -> [Masquerade] {
        [
            Masquerade(
                name: "real-servers", sources: Selection([prefix("10.11.12.0/24")], excluding: [prefix("10.11.12.7")]),
                services: ["web", "ftp"], sourceTraffic: Traffic(tcp: [PortRange(20)], udp: [.all]),
                destinationTraffic: Traffic(tcp: [PortRange(25)], udp: [.all]),
                destinations: Selection([], excluding: [prefix("10.0.0.0/8"), prefix("192.168.0.0/16")]),
                outInterfaces: Selection([], excluding: [try InterfacePattern(parsing: "eth0")]),
                to: .addresses(Address(ipv4: 0xcb00_7101), Address(ipv4: 0xcb00_7109)), isRandom: true),
            Masquerade(
                name: "six", sources: Selection([prefix("2001:db8:1::/64")]),
                to: .addresses(Address(ipv6: 0x2001_0db8 << 96 | 1), Address(ipv6: 0x2001_0db8 << 96 | 1))),
            Masquerade(name: "left-alone", destinations: Selection([prefix("10.0.0.0/8")]), to: .unchanged),
        ]
    }

    @Test("An FTP service stands for a service and a translation, and its defaults are those of FTP")
    func ftpExpands() throws {
        let text = """
            ftp:
              - name: ftp
                mark: 21
                addresses: [203.0.113.10]
                passive-ports: 10000-20000
                active: {real-servers: [10.11.12.0/24]}
              - name: direct
                mark: 22
                addresses: [203.0.113.11]
                passive-ports: 10000-20000
                forwarding: direct
                active: {}
            """
        let found = try load(text).configuration
        #expect(
            try found.allServices == [
                Service(
                    name: "ftp", mark: Mark(21), addresses: Selection([prefix("203.0.113.10")]),
                    traffic: Traffic(tcp: [PortRange(21), PortRange(10000, 20000)])),
                // Clients' answers to active data come to the data port.
                Service(
                    name: "direct", mark: Mark(22), addresses: Selection([prefix("203.0.113.11")]),
                    traffic: Traffic(tcp: [PortRange(21), PortRange(20), PortRange(10000, 20000)])),
            ])
        #expect(
            found.allMasquerades == [
                Masquerade(name: "ftp", sources: Selection([prefix("10.11.12.0/24")]), sourceTraffic: Traffic(tcp: [PortRange(20)]))
            ])
    }

    @Test(
        "A file that asks for nothing in so many words is right",
        arguments: [
            "services: []", "---\nftp: []\n", "daemon: {}\nservices: []\nmasquerade: []\n", "daemon: {}\r\nservices: []\r\n",
            "\u{feff}services: []\n", "%YAML 1.1\n---\nservices: []\n...\n", "\"services\": []\n",
        ])
    func nothing(_ text: String) throws {
        #expect(try load(text).configuration == Configuration())
    }

    @Test("The digest is that of what the rules depend on")
    func digest() throws {
        let text = "services:\n  - {name: a, mark: 1, addresses: [192.0.2.1], tcp: [80]}\n"
        let digest = try load(text).sha256
        #expect(digest.utf8.count == 64)
        #expect(try load("# a comment\n" + text + "daemon: {http-listen: 127.0.0.1:9780, on-drift: report}\n").sha256 == digest)
        #expect(try load(text + "daemon: {hook-position: last}\n").sha256 != digest)
        // Every word counts.
        let others = [
            ("name: a", "name: b"), ("mark: 1", "mark: 2"), ("mark: 1", "mark: 1/1"), ("192.0.2.1", "192.0.2.2"),
            ("192.0.2.1", "192.0.2.0/31"),
            ("[192.0.2.1]", "[\"!192.0.2.1\"]"), ("[80]", "[81]"), ("[80]", "[80-81]"), ("[80]", "any"), ("tcp", "udp"),
            ("tcp: [80]", "protocols: any"),
            ("tcp: [80]", "protocols: [50]"), ("tcp: [80]", "tcp: [80], sources: [10.0.0.0/8]"),
            ("tcp: [80]", "tcp: [80], in-interface: eth0"),
            ("tcp: [80]", "tcp: [80], in-interface: \"!eth0\""), ("tcp: [80]", "tcp: [80], hooks: [input]"),
            ("tcp: [80]", "tcp: [80], source-macs: [\"02:00:5e:10:00:02\"]"),
        ]
        for (old, new) in others {
            #expect(try load(text.replacing(old, with: new, maxReplacements: 1)).sha256 != digest, "\(old) \(new)")
        }
    }

    @Test("A masquerade's words all count in the digest")
    func masqueradeDigest() throws {
        let head =
            "services:\n  - {name: a, mark: 1, addresses: [192.0.2.1], tcp: [80]}\nmasquerade:\n  - {name: m, sources: [10.0.0.0/8]"
        let others = [
            "", ", services: [a]", ", tcp: [20]", ", destination-tcp: [20]", ", destinations: [10.0.0.0/8]",
            ", destinations: [\"!10.0.0.0/8\"]",
            ", out-interface: eth0", ", out-interface: eth+", ", to: unchanged", ", to: 192.0.2.1", ", to: 192.0.2.1-192.0.2.2",
            ", random: true",
        ]
        let digests = try others.map { try load("\(head)\($0)}\n").sha256 }
        #expect(Set(digests).count == digests.count)
    }

    @Test(
        "Durations are read in all four units, and at both ends of their range",
        arguments: [
            ("check-interval", "100ms", Duration.milliseconds(100)), ("check-interval", "1h", .seconds(3600)),
            ("check-interval", "90s", .seconds(90)), ("check-interval", "2m", .seconds(120)),
        ])
    func durations(_ key: String, _ text: String, _ duration: Duration) throws {
        #expect(try load("services: []\ndaemon: {\(key): \(text)}").configuration.daemon.checkInterval == duration)
    }

    @Test(
        "Durations out of range or without a unit are refused",
        arguments: ["99ms", "3601s", "1", "1.5s", "-1s", "s", "1d", "01s", "1S", "1 s"])
    func badDurations(_ text: String) {
        #expect(errorLines([("f", Array("services: []\ndaemon: {check-interval: \(text)}".utf8))]).count == 1)
    }

    @Test(
        "Services may overlap where no packet gets two marks",
        arguments: [
            ("the same mark", "80", "", "80", ""), ("masks that do not touch", "0x1/0xff", "", "0x100/0xff00", ""),
            ("masks that touch in bits that are equal", "0x101/0xfff", "", "0x100/0xff00", ""),
            ("different interfaces", "80", "eth0", "81", "eth1"),
            ("interfaces with different beginnings", "80", "eth+", "81", "wlan+"),
            ("an interface and the others", "80", "eth0", "81", "\"!eth0\""),
        ])
    func mayOverlap(_ why: String, _ mark: String, _ interface: String, _ other: String, _ otherInterface: String) throws {
        func service(_ name: String, _ mark: String, _ interface: String) -> String {
            "  - {name: \(name), mark: \(mark), addresses: [203.0.113.20], tcp: [80]\(interface.isEmpty ? "" : ", in-interface: \(interface)")}\n"
        }
        let text = "services:\n" + service("a", mark, interface) + service("b", other, otherInterface)
        #expect(try load(text).configuration.services.count == 2)
    }

    @Test(
        "A part of an entry may be excluded: at its beginning, at its end, or within it",
        arguments: ["10.0.0.0/9", "10.128.0.0/9", "10.1.0.0/16", "10.0.0.0", "10.255.255.255"])
    func partlyExcluded(_ exclusion: String) throws {
        let text = "services:\n  - {name: a, mark: 1, addresses: [10.0.0.0/8, \"!\(exclusion)\"], tcp: [80]}\n"
        #expect(try load(text).configuration.services.count == 1)
    }

    @Test("Ten thousand FTP services are read", .timeLimit(.minutes(1)))
    func many() throws {
        let found = try load(manyServices(10_000)).configuration
        #expect(found.ftp.count == 10_000)
        #expect(found.ftp.last?.mark.value == 10_000)
    }
}

/// FTP services of different addresses and marks.
func manyServices(_ count: Int) -> String {
    var text = "ftp:\n"
    for index in 0..<count {
        text +=
            "  - name: ftp-\(index)\n    mark: \(index + 1)\n    addresses: [10.\(index >> 16).\(index >> 8 & 255).\(index & 255)]\n"
        text += "    passive-ports: 10000-20000\n    active:\n      real-servers: [172.16.\(index >> 8 & 255).\(index & 255)]\n"
    }
    return text
}

/// The configuration in a file of the name `f`.
func load(_ text: String) throws(ConfigurationErrors) -> LoadedConfiguration {
    try Configuration.load([ConfigurationText(path: "f", bytes: Array(text.utf8))])
}

/// The prefix of the text, which is right.
func prefix(_ text: String) -> Prefix {
    guard let prefix = try? Prefix(parsing: text) else { preconditionFailure("\(text) is no prefix") }
    return prefix
}
