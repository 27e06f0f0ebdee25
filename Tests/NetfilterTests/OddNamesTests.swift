import Rules
import Testing

@testable import Netfilter

@Suite("Names that the kernel takes and nobody reads")
struct OddNamesTests {
    @Test("A target whose name is not UTF-8 is kept whole", arguments: Family.allCases)
    func target(_ family: Family) throws {
        var encoder = EntryEncoder(family)
        var entry = try encoder.withEntry(KernelRule(.rule(Rule(comment: "odd", target: .mark(Mark(21)))))) { Array($0) }
        let layout = EntryLayout.of(family)
        let name = try EntryReader(entry, at: 0, layout).target.header + EntryLayout.headerName
        let field = name..<name + EntryLayout.nameSize
        // In a Swift string each of these bytes becomes three.
        entry.replaceSubrange(field, with: [UInt8](repeating: 0xff, count: EntryLayout.nameSize - 1) + [0])
        let rule = EntryDecoder(family: family) { _ in nil }.decode(try EntryReader(entry, at: 0, layout))
        guard case .opaque(let opaque) = rule.content else {
            Issue.record("\(rule.content) was understood")
            return
        }
        #expect(opaque.entry[field] == entry[field])
        #expect(opaque.comment == "odd")
    }
}
