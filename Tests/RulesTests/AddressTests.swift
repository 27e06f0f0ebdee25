// SPDX-License-Identifier: GPL-2.0-or-later
import Testing

@testable import Rules

@Suite("Addresses and prefixes")
struct AddressTests {
    @Test(
        "An address is shown as it was written, in its shortest form",
        arguments: [
            ("203.0.113.10", "203.0.113.10"), ("0.0.0.0", "0.0.0.0"), ("255.255.255.255", "255.255.255.255"), ("::", "::"),
            ("2001:DB8:0:0:0:0:0:10", "2001:db8::10"), ("2001:db8::", "2001:db8::"), ("::1", "::1"), ("1::2:0:0:3", "1::2:0:0:3"),
            ("64:ff9b::192.0.2.1", "64:ff9b::c000:201"),
        ])
    func reads(_ text: String, _ shown: String) throws {
        let address = try Address(parsing: text)
        #expect(address.description == shown)
        #expect(address.family == (text.contains(":") ? .ipv6 : .ipv4))
        #expect(try Address(parsing: shown) == address)
    }

    @Test(
        "Text that is not an address is refused",
        arguments: [
            "", " ", "203.0.113", "203.0.113.256", "203.0.113.010", "203.0.113.10 ", "0x7f.0.0.1", "1", "localhost",
            "203.0.113.10\0", "203.0.113.10\0x",
            "[::1]", "::1%lo", ":", ":::", "1:2:3:4:5:6:7:8:9", "::ffff:203.0.113.10", "::ffff:0:0", "203.0.113.1\u{301}0",
        ])
    func refuses(_ text: String) {
        #expect(throws: InvalidValue.self) { try Address(parsing: text) }
    }

    @Test("An IPv4-mapped address names the address that is meant")
    func mapped() {
        let found = #expect(throws: InvalidValue.self) { try Address(parsing: "::ffff:203.0.113.10") }
        #expect(found?.advice == "write 203.0.113.10")
    }

    @Test("The first octet is the most significant, and IPv4 keeps to the low 32 bits")
    func bits() throws {
        #expect(try Address(parsing: "1.2.3.4").bits == 0x0102_0304)
        #expect(try Address(parsing: "102::304").bits == 0x0102 << 112 | 0x0304)
        #expect(Address(family: .ipv4, bits: .max) == Address(ipv4: .max))
        #expect(Address(ipv4: .max) < Address(ipv6: 0))
        #expect(Address(ipv4: 1) < Address(ipv4: 2))
    }

    @Test(
        "A prefix is shown with its length, and knows its first and last address",
        arguments: [
            ("203.0.113.10", "203.0.113.10/32", "203.0.113.10"), ("10.0.0.0/8", "10.0.0.0/8", "10.255.255.255"),
            ("0.0.0.0/0", "0.0.0.0/0", "255.255.255.255"), ("128.0.0.0/1", "128.0.0.0/1", "255.255.255.255"),
            ("2001:db8::/32", "2001:db8::/32", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("::/0", "::/0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("2001:db8::1", "2001:db8::1/128", "2001:db8::1"),
        ])
    func prefixes(_ text: String, _ shown: String, _ last: String) throws {
        let prefix = try Prefix(parsing: text)
        #expect(prefix.description == shown)
        #expect(prefix.last.description == last)
        #expect(prefix.contains(prefix.address) && prefix.contains(prefix.last))
        #expect(prefix.mask.nonzeroBitCount == prefix.length)
    }

    @Test(
        "A prefix that could never match, or is not a prefix, is refused, and the error names what was meant",
        arguments: [
            ("10.11.12.1/24", "write 10.11.12.0/24, or 10.11.12.1/32 for the one address"),
            ("0.0.0.1/0", "write 0.0.0.0/0, or 0.0.0.1/32 for the one address"),
            ("2001:db8::1/64", "write 2001:db8::/64, or 2001:db8::1/128 for the one address"), ("10.0.0.0/33", "ipv4 has 0 to 32"),
            ("10.0.0.0/", "ipv4 has 0 to 32"), ("10.0.0.0/-1", "ipv4 has 0 to 32"),
            ("10.0.0.0/+8", "ipv4 has 0 to 32"),
            ("10.0.0.0/255.0.0.0", "ipv4 has 0 to 32"), ("10.0.0.0/8/8", "ipv4 has 0 to 32"),
            ("::/129", "ipv6 has 0 to 128"),
            ("10.0.0.0/\u{301}8", "ipv4 has 0 to 32"), ("10.0.0.0/٨", "ipv4 has 0 to 32"),
            ("10.0.0.0/99999999999999999999", "ipv4 has 0 to 32"), ("10.0.0.0/08", "write 10.0.0.0/8"),
            ("10.0.0.0/00", "write 10.0.0.0/0"),
        ])
    func refusesPrefix(_ text: String, _ expected: String) {
        let found = #expect(throws: InvalidValue.self) { try Prefix(parsing: text) }
        #expect(found?.advice == expected)
    }

    @Test(
        "One prefix holds another, overlaps with it, or has nothing to do with it",
        arguments: [
            ("10.0.0.0/8", "10.1.0.0/16", true, true), ("10.1.0.0/16", "10.0.0.0/8", false, true),
            ("10.0.0.0/8", "10.0.0.0/8", true, true),
            ("10.0.0.0/9", "10.128.0.0/9", false, false), ("0.0.0.0/0", "10.0.0.0/8", true, true),
            ("0.0.0.0/0", "::/0", false, false),
            ("::/0", "10.0.0.0/8", false, false), ("2001:db8::/32", "2001:db8:1::/48", true, true),
        ])
    func relations(_ left: String, _ right: String, _ contains: Bool, _ overlaps: Bool) throws {
        let (left, right) = (try Prefix(parsing: left), try Prefix(parsing: right))
        #expect(left.contains(right) == contains)
        #expect(left.overlaps(right) == overlaps)
        #expect(right.overlaps(left) == overlaps)
    }

    @Test("In sorted order each prefix comes before all that it holds")
    func order() throws {
        let sorted = try ["10.0.0.0/8", "10.0.0.0/16", "10.0.0.0/32", "10.0.1.0/24", "11.0.0.0/8", "::/0", "::/128"].map {
            try Prefix(parsing: $0)
        }
        #expect(sorted.reversed().sorted() == sorted)
    }

    @Test("Bits after the length are dropped where that is asked for")
    func containing() {
        #expect(Prefix(containing: Address(ipv4: 0x0a0b_0c0d), length: 24).description == "10.11.12.0/24")
        #expect(Prefix(containing: Address(ipv4: .max), length: 0).description == "0.0.0.0/0")
        #expect(Prefix(containing: Address(ipv6: .max), length: 1).description == "8000::/1")
    }

    @Test(
        "A match is a prefix or everything but it",
        arguments: [
            ("10.0.0.0/8", "10.1.2.3", true), ("!10.0.0.0/8", "10.1.2.3", false), ("! 10.0.0.0/8", "11.1.2.3", true),
            ("!10.0.0.1", "10.0.0.2", true),
            ("!10.0.0.0/8", "2001:db8::1", false), ("::/0", "2001:db8::1", true),
        ])
    func matches(_ text: String, _ address: String, _ expected: Bool) throws {
        #expect(try AddressMatch(parsing: text).matches(Address(parsing: address)) == expected)
    }

    @Test(
        "Text that is not a match is refused",
        arguments: ["!!10.0.0.0/8", "!", "", "!\u{301}10.0.0.0/8"])
    func refusesMatch(_ text: String) {
        #expect(throws: InvalidValue.self) { try AddressMatch(parsing: text) }
    }
}
