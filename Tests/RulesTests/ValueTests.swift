// SPDX-License-Identifier: GPL-2.0-or-later
import Testing

@testable import Rules

@Suite("Ports, marks, interfaces and names of chains")
struct ValueTests {
    /// Expects that the text is read, and shown in these two ways, the first of which is read as the same value.
    private func expectForms<Value: Equatable & CustomStringConvertible>(
        _ parse: (String) throws -> Value, _ syntax: (Value) -> String, _ text: String, _ shown: String, _ iptables: String
    ) throws {
        let value = try parse(text)
        #expect(value.description == shown)
        #expect(syntax(value) == iptables)
        #expect(try parse(shown) == value)
    }

    // MARK: - Ports

    @Test(
        "Ports and ranges are read, and shown for the file and for iptables",
        arguments: [
            ("21", "21", "21"), ("10000-20000", "10000-20000", "10000:20000"), ("1-65535", "1-65535", "1:65535"),
            ("80-80", "80", "80"),
        ])
    func ports(_ text: String, _ shown: String, _ iptables: String) throws {
        try expectForms(PortRange.init(parsing:), \.iptablesSyntax, text, shown, iptables)
    }

    @Test(
        "Text that is not a port is refused, and so is a reversed range",
        arguments: [
            "", "0", "0-10", "65536", "1-65536", "20-10", "-1", "-", "1-", "1-2-3", "+1", "1 ", "1.5", "0x15", "021", "1-021",
            "ftp", "80:90", "８０", "1\u{301}",
            "99999999999999999999",
        ])
    func refusesPorts(_ text: String) {
        #expect(throws: InvalidValue.self) { try PortRange(parsing: text) }
    }

    @Test("Ranges know what is in them, what they share, and their order")
    func ranges() {
        let range = PortRange(10, 20)
        #expect([9, 10, 20, 21].map { range.contains($0) } == [false, true, true, false])
        #expect(
            [PortRange(1, 9), PortRange(1, 10), PortRange(20, 30), PortRange(21)].map { range.overlaps($0) } == [
                false, true, true, false,
            ])
        #expect([PortRange(10, 20), PortRange(9), PortRange(10)].sorted() == [PortRange(9), PortRange(10), PortRange(10, 20)])
        #expect(PortRange.all.contains(0) && PortRange.all.contains(65535))
        let scattered = [PortRange(10, 20), PortRange(21), PortRange(15, 18), PortRange(23), PortRange(9)]
        #expect(PortRange.merged(scattered) == [PortRange(9, 21), PortRange(23)], "22 is nobody's")
    }

    @Test("Protocols are known by their numbers", arguments: [(TransportProtocol.tcp, UInt8(6)), (.udp, 17), (.sctp, 132)])
    func protocols(_ transport: TransportProtocol, _ number: UInt8) {
        #expect(transport.number == number)
        #expect(TransportProtocol(number: number) == transport)
        #expect(TransportProtocol(number: 1) == nil)
    }

    // MARK: - Marks

    @Test(
        "Marks are read, and shown for people and for iptables",
        arguments: [
            ("21", "21", "0x15/0xffffffff"), ("0x15", "21", "0x15/0xffffffff"), ("0X15", "21", "0x15/0xffffffff"),
            ("4294967295", "4294967295", "0xffffffff/0xffffffff"), ("0x100/0xff00", "0x100/0xff00", "0x100/0xff00"),
            ("256/65280", "0x100/0xff00", "0x100/0xff00"), ("1/0xffffffff", "1", "0x1/0xffffffff"),
            ("0x00000001", "1", "0x1/0xffffffff"),
        ])
    func marks(_ text: String, _ shown: String, _ iptables: String) throws {
        try expectForms(Mark.init(parsing:), \.iptablesSyntax, text, shown, iptables)
    }

    @Test(
        "Text that is not a mark is refused",
        arguments: [
            "", "0", "0x0", "0/0xff", "-1", "+1", "0x+1", "0x", "4294967296", "0x100000000", "021", "1/", "/1", "1/0", "1/0xff/1",
            "0x100/0xff", "1/01", "1_0",
            "1.0", "1e3", "0b1", "0o7", "x15", " 1", "1\0",
        ])
    func refusesMark(_ text: String) {
        #expect(throws: InvalidValue.self) { try Mark(parsing: text) }
    }

    @Test("A mark writes the bits of its mask and no others")
    func applied() throws {
        #expect(try Mark(21).applied(to: 0xffff_ffff) == 21)
        #expect(try Mark(0x100, mask: 0xff00).applied(to: 0x1234_5678) == 0x1234_0178)
        #expect(try MarkOperation(Mark(0x100, mask: 0xff00)).applied(to: 0x1234_5678) == 0x1234_0178)
        #expect(MarkOperation(value: 0x11, mask: 0x0f).applied(to: 0x1f) == 0x01, "what is outside the mask is XORed")
    }

    @Test(
        "Two marks are in conflict if some mark depends on which comes last",
        arguments: [
            ("1", "2", true), ("1", "1", false), ("0x1/0xff", "0x100/0xff00", false), ("0x1/0xff", "0x2/0x3", true),
            ("0x101/0xfff", "0x100/0xff00", false),
            ("1", "0x1/0xff", false), ("0x101", "0x1/0xff", false), ("0x101", "0x2/0xff", true),
        ])
    func conflicts(_ left: String, _ right: String, _ expected: Bool) throws {
        let (left, right) = (try Mark(parsing: left), try Mark(parsing: right))
        #expect(left.conflicts(with: right) == expected)
        #expect(right.conflicts(with: left) == expected)
        let depends = [0, UInt32.max, 0x5555_5555].contains {
            right.applied(to: left.applied(to: $0)) != left.applied(to: right.applied(to: $0))
        }
        #expect(depends == expected)
    }

    // MARK: - Interfaces

    @Test(
        "An interface is a name or the beginning of one",
        arguments: [("eth0", false), ("eth+", true), ("+", true), ("abcdefghijklmno", false), ("a.b-c@d", false)])
    func interfaces(_ text: String, _ isPrefix: Bool) throws {
        let pattern = try InterfacePattern(parsing: text)
        #expect(pattern.description == text)
        #expect(pattern.isPrefix == isPrefix)
    }

    @Test(
        "What no interface is called is refused",
        arguments: ["", "abcdefghijklmnop", "a b", "a/b", "eth0:1", ".", "..", "!eth0", "a\"b", "a\0b", "a\tb", "é"])
    func refusesInterface(_ text: String) {
        #expect(throws: InvalidValue.self) { try InterfacePattern(parsing: text) }
    }

    @Test(
        "Two patterns overlap if some interface is meant by both",
        arguments: [
            ("eth0", "eth0", true), ("eth0", "eth1", false), ("eth+", "eth0", true), ("eth+", "eth", true), ("eth+", "et", false),
            ("et+", "eth+", true),
            ("+", "lo", true), ("+", "+", true), ("eth+", "wlan+", false),
        ])
    func overlaps(_ left: String, _ right: String, _ expected: Bool) throws {
        let (left, right) = (try InterfacePattern(parsing: left), try InterfacePattern(parsing: right))
        #expect(left.overlaps(right) == expected)
        #expect(right.overlaps(left) == expected)
        if !right.isPrefix { #expect(left.matches(right.name) == expected) }
    }

    // MARK: - Chains

    @Test(
        "The name of a chain has 1 to 28 printable bytes",
        arguments: ["F", "FWMARKD-MARK", String(repeating: "x", count: 28), "a!b-c"])
    func chains(_ text: String) throws {
        #expect(try ChainName(text).text == text)
    }

    @Test(
        "What libiptc cannot keep is refused",
        arguments: ["", String(repeating: "x", count: 29), "a b", "-x", "!x", "é", "a\0", "a\u{7f}"])
    func refusesChain(_ text: String) {
        #expect(throws: InvalidValue.self) { try ChainName(text) }
    }

    @Test(
        "Our chains are known by their beginning",
        arguments: [
            ("fwmarkd-mark", true), ("fwmarkd-", true), ("fwmarkd", false), ("FWMARKD-MARK", false), ("PREROUTING", false),
        ])
    func ours(_ text: String, _ expected: Bool) {
        #expect(ChainName(bytes: text.utf8).isOurs == expected)
    }

    @Test("The name of a chain is bytes, compared and ordered as such, and escaped where it is shown")
    func chainBytes() {
        let strange = ChainName(bytes: Array("fwmarkd-".utf8) + [0xff, 0x0a])
        #expect(strange.text == "fwmarkd-\\xff\\n")
        #expect(strange.bytes == Array("fwmarkd-".utf8) + [0xff, 0x0a])
        #expect(strange.isOurs)
        #expect(strange != ChainName(bytes: Array("fwmarkd-".utf8) + [0xfe, 0x0a]))
        #expect(strange > .mark)
        #expect(ChainName(bytes: [UInt8](repeating: 0x78, count: 40)).bytes.count == 31)
        #expect(ChainName(bytes: [0x61, 0, 0x62]) == ChainName(bytes: [0x61]))
    }

    @Test("Names of our chains sort after those of all targets, so that libiptc does not walk over them")
    func chainOrder() {
        #expect(["MARK", "MASQUERADE", "SNAT", "CONNMARK", "CT", "RETURN"].allSatisfy { ChainName(bytes: $0.utf8) < .helper })
    }

    @Test(
        "What comes from outside is printed without control characters",
        arguments: [
            ("plain text", "plain text"), ("a\r\nb", "a\\r\\nb"), ("\u{1b}[31m", "\\u{1B}[31m"), ("ünï 中", "ünï 中"),
            ("\u{202e}x", "\\u{202E}x"), ("\u{7f}", "\\u{7F}"),
        ])
    func printableText(_ text: String, _ expected: String) {
        #expect(printable(text) == expected)
        #expect(printable(String(keeping: Array(text.utf8))) == expected)
    }

    @Test("Bytes that are no UTF-8 stay in a rule's comment, and are shown as they are")
    func keptBytes() {
        let bytes: [UInt8] = Array("caf".utf8) + [0xe9, 0x20, 0xff] + Array("é".utf8)
        let rule = Rule(comment: String(keeping: bytes), target: .accept)
        #expect(printable(rule.iptablesSyntax) == "-m comment --comment \"caf\\xe9 \\xffé\" -j ACCEPT")
        #expect(printable(String(keeping: [0xc3])) == "\\xc3" && String(keeping: Array("ü\u{ef80}".utf8)) == "ü\u{ef80}")
    }

    @Test("A MAC address is six pairs of hexadecimal digits")
    func macAddress() throws {
        #expect(try MACAddress(parsing: "02:00:5E:10:00:02").description == "02:00:5e:10:00:02")
        for text in [
            "", "02:00:5e:10:00", "02:00:5e:10:00:02:03", "2:0:5e:10:0:2", "02-00-5e-10-00-02", "+2:00:5e:10:00:02",
            "0g:00:5e:10:00:02",
        ] {
            #expect(throws: InvalidValue.self, "\(text)") { try MACAddress(parsing: text) }
        }
    }

    @Test("Tables are in the order of commits: helpers and translations before marks, IPv4 before IPv6")
    func tables() {
        #expect(
            TableID.ours.map(\.description) == ["ipv4 raw", "ipv6 raw", "ipv4 nat", "ipv6 nat", "ipv4 mangle", "ipv6 mangle"])
        #expect(TableID.ours.reversed().sorted() == TableID.ours)
        #expect(Table.allCases.flatMap(\.entries).allSatisfy { $0.chain.isOurs })
        #expect(Table.allCases.allSatisfy { table in table.entries.allSatisfy { table.hooks.contains($0.hook) } })
    }
}
