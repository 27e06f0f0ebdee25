// SPDX-License-Identifier: GPL-2.0-or-later
import Glibc
import Rules
import Testing

@testable import Netfilter

@Suite("Names that the kernel accepts and programs cannot print")
struct OddNamesTests {
    @Test("A target whose name is not UTF-8 is kept whole", arguments: Family.allCases)
    func target(_ family: Family) throws {
        var encoder = EntryEncoder(family)
        var entry = try encoder.withEntry(KernelRule(Rule(comment: "odd", target: .mark(MarkOperation(value: 21, mask: .max))))) {
            Array($0)
        }
        let layout = EntryLayout.of(family)
        let name = try EntryReader(entry, at: 0, layout).target.header + EntryLayout.headerName
        let field = name..<name + EntryLayout.nameSize
        // In a Swift string each of these bytes becomes three.
        entry.replaceSubrange(field, with: [UInt8](repeating: 0xff, count: EntryLayout.nameSize - 1) + [0])
        var decoder = EntryDecoder(family) { _ in nil }
        let rule = decoder.decode(try EntryReader(entry, at: 0, layout))
        #expect(rule.content.entry?[field] == entry[field])
        #expect(rule.content.comment == "odd")
    }

    @Test("Each code of an error is permanent or may pass")
    func codes() {
        let permanent = NetfilterError.Code.allCases.filter(\.isPermanent)
        #expect(Set(permanent) == [.notPermitted, .notSupported, .unencodable])
    }

    @Test("A table that the kernel does not have is a permanent error that names the module")
    func missingTable() {
        errno = ENOENT
        let error = NetfilterError.table(TableID(.ipv4, .nat), "opening ipv4 nat")
        #expect(error.code.isPermanent && error.message.contains("iptable_nat"))
    }
}
