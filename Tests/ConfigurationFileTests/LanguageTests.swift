import ConfigurationFile
import Rules
import Testing

@Suite("The language of the file")
struct LanguageTests {
    @Test("The whole language is read as it is meant")
    func whole() throws {
        let text = """
            daemon:
              on-drift: report
              on-stop: remove
              hook-position: last
              check-interval: 250ms
              resync-interval: 5m
              lock-timeout: 1s
              metrics-listen: "[::1]:9780"

            ftp:
              - name: ftp
                mark: 0x15
                addresses: [203.0.113.10, "2001:db8::10"]
                control-port: 2121
                passive-ports: 10000-20000
                active:
                  real-servers: [10.11.12.0/24]
                  data-port: 2020
                  to: 203.0.113.10
              - name: passive-only
                mark: 22
                addresses: [203.0.113.11]
                passive-ports: 1024-65535

            services:
              - name: web
                mark: 0x100/0xff00
                addresses: [203.0.113.20, "2001:db8::20", 203.0.113.32/28]
                tcp: [80, "443", 8000-8099]
                udp: [443]
                sctp: [9]
                in-interface: eth+

            masquerade:
              - name: real-servers
                sources: [10.11.12.0/24]
                tcp: [20]
                udp: [53, 5000-6000]
                destinations: ["!10.0.0.0/8", "! 192.168.0.0/16"]
                out-interface: eth0
                to: masquerade
              - name: everything
                sources:
                  - 2001:db8:1::/64
                to: 2001:db8::1
            """
        let found = try load(text).configuration
        func position(_ line: Int) -> SourcePosition { SourcePosition(file: "f", line: line, column: 5) }
        var daemon = DaemonSettings()
        daemon.onDrift = .report
        daemon.onStop = .remove
        daemon.hookPosition = .last
        daemon.checkInterval = .milliseconds(250)
        daemon.resyncInterval = .seconds(300)
        daemon.lockTimeout = .seconds(1)
        daemon.metricsListen = ListenAddress(address: Address(ipv6: 1), port: 9780)
        #expect(found.daemon == daemon)
        #expect(
            try found.ftp == [
                FTPService(
                    name: "ftp", mark: Mark(21), addresses: [prefix("203.0.113.10"), prefix("2001:db8::10")], controlPort: 2121,
                    passivePorts: PortRange(10000, 20000),
                    active: FTPService.Active(
                        realServers: [prefix("10.11.12.0/24")], dataPort: 2020, to: .address(Address(ipv4: 0xcb00_710a))),
                    position: position(11)),
                FTPService(
                    name: "passive-only", mark: Mark(22), addresses: [prefix("203.0.113.11")], controlPort: 21,
                    passivePorts: PortRange(1024, 65535), active: nil, position: position(20)),
            ])
        #expect(
            try found.services == [
                Service(
                    name: "web", mark: Mark(0x100, mask: 0xff00),
                    addresses: [prefix("203.0.113.20"), prefix("2001:db8::20"), prefix("203.0.113.32/28")],
                    ports: [
                        .tcp: [PortRange(80), PortRange(443), PortRange(8000, 8099)], .udp: [PortRange(443)], .sctp: [PortRange(9)],
                    ],
                    inInterface: InterfacePattern(parsing: "eth+"), position: position(26))
            ])
        #expect(
            try found.masquerades == [
                Masquerade(
                    name: "real-servers", sources: [prefix("10.11.12.0/24")],
                    ports: [.tcp: [PortRange(20)], .udp: [PortRange(53), PortRange(5000, 6000)]],
                    destinations: [
                        AddressMatch(prefix("10.0.0.0/8"), isInverted: true),
                        AddressMatch(prefix("192.168.0.0/16"), isInverted: true),
                    ], outInterface: InterfacePattern(parsing: "eth0"), to: .masquerade, position: position(35)),
                Masquerade(
                    name: "everything", sources: [prefix("2001:db8:1::/64")], to: .address(Address(ipv6: 0x2001_0db8 << 96 | 1)),
                    position: position(42)),
            ])
    }

    @Test("An FTP service stands for a service and a translation, and its defaults are those of FTP")
    func ftpExpands() throws {
        let text = """
            ftp:
              - name: ftp
                mark: 21
                addresses: [203.0.113.10]
                passive-ports: 10000-20000
                active:
                  real-servers: [10.11.12.0/24]
            """
        let found = try load(text).configuration
        let position = SourcePosition(file: "f", line: 2, column: 5)
        #expect(
            try found.allServices == [
                Service(
                    name: "ftp", mark: Mark(21), addresses: [prefix("203.0.113.10")],
                    ports: [.tcp: [PortRange(21), PortRange(10000, 20000)]], position: position)
            ])
        #expect(
            found.allMasquerades == [
                Masquerade(name: "ftp", sources: [prefix("10.11.12.0/24")], ports: [.tcp: [PortRange(20)]], position: position)
            ])
    }

    @Test(
        "A file that asks for nothing is right",
        arguments: [
            "# nothing\n", "{}", "---\n", "daemon:\nftp:\nservices: []\nmasquerade: ~\n", "daemon: {}\r\nservices: []\r\n",
            "\u{feff}services: []\n",
            "%YAML 1.1\n---\nservices: []\n...\n", "\"services\": []\n", "null\n",
        ])
    func nothing(_ text: String) throws {
        #expect(try load(text).configuration == Configuration())
    }

    @Test(
        "Durations are read in all four units, and at both ends of their range",
        arguments: [
            ("check-interval", "100ms", Duration.milliseconds(100)), ("check-interval", "1h", .seconds(3600)),
            ("check-interval", "90s", .seconds(90)), ("check-interval", "2m", .seconds(120)),
        ])
    func durations(_ key: String, _ text: String, _ duration: Duration) throws {
        #expect(try load("daemon: {\(key): \(text)}").configuration.daemon.checkInterval == duration)
    }

    @Test(
        "Durations out of range or without a unit are refused",
        arguments: ["99ms", "3601s", "1", "1.5s", "-1s", "s", "1d", "01s", "1S", "1 s"])
    func badDurations(_ text: String) {
        #expect(faultLines([("f", Array("daemon: {check-interval: \(text)}".utf8))]).count == 1)
    }

    @Test(
        "Services may overlap where no packet gets two marks",
        arguments: [
            ("the same mark", "80", "", "80", ""), ("masks that do not touch", "0x1/0xff", "", "0x100/0xff00", ""),
            ("masks that touch in bits that are equal", "0x101/0xfff", "", "0x100/0xff00", ""),
            ("different interfaces", "80", "eth0", "81", "eth1"),
            ("interfaces with different beginnings", "80", "eth+", "81", "wlan+"),
        ])
    func mayOverlap(_ why: String, _ mark: String, _ interface: String, _ other: String, _ otherInterface: String) throws {
        func service(_ name: String, _ mark: String, _ interface: String) -> String {
            "  - {name: \(name), mark: \(mark), addresses: [203.0.113.20], tcp: [80]\(interface.isEmpty ? "" : ", in-interface: \(interface)")}\n"
        }
        let text = "services:\n" + service("a", mark, interface) + service("b", other, otherInterface)
        #expect(try load(text).configuration.services.count == 2)
    }

    @Test("Ten thousand FTP services are read", .timeLimit(.minutes(1)))
    func many() throws {
        let found = try load(manyServices(10_000)).configuration
        #expect(found.ftp.count == 10_000)
        #expect(found.ftp.last?.position.line == 2 + 9_999 * 6)
    }

    @Test("Ten thousand services with one wrong address give a bounded number of faults in bounded time", .timeLimit(.minutes(1)))
    func manyConflicts() {
        let text =
            "services:\n" + (1...10_000).map { "  - {name: s\($0), mark: \($0), addresses: [203.0.113.1], tcp: [80]}\n" }.joined()
        #expect(faultLines([("f", Array(text.utf8))]).count == 1001)
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
func load(_ text: String) throws(ConfigurationFaults) -> LoadedConfiguration {
    try Configuration.load([ConfigurationText(path: "f", bytes: Array(text.utf8))])
}

/// The prefix of the text, which is right.
func prefix(_ text: String) -> Prefix {
    guard let prefix = try? Prefix(parsing: text) else { preconditionFailure("\(text) is no prefix") }
    return prefix
}
