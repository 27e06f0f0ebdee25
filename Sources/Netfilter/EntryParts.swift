// SPDX-License-Identifier: GPL-2.0-or-later
package import Rules

/// A rule's entry, what is in its head, and where its matches and its target are: for libxtables' printers.
package struct EntryParts: Sendable, Hashable {
    /// A match or a target.
    package struct Part: Sendable, Hashable {
        /// Its name.
        package let name: String
        /// Its revision.
        package let revision: UInt8
        /// Where its header begins, in bytes from the entry's start.
        package let offset: Int
        /// How many bytes of data follow the header.
        package let dataSize: Int
    }

    /// The whole entry, in the machine's byte order; a jump's target has the chain's name in place of its offset.
    package let entry: [UInt8]
    /// Source and destination, and their masks, which may have holes.
    package let source, sourceMask, destination, destinationMask: Address
    /// The interfaces as far as their names are compared, with a plus sign at the end of a beginning; empty: any.
    package let inInterface, outInterface: String
    /// The protocol's number; nil: any.
    package let protocolNumber: UInt16?
    /// Whether second and further fragments are meant (`-f`).
    package let isFragment: Bool
    /// Whether the target is entered without coming back (`-g`).
    package let isGoto: Bool
    /// What is to be everything but the given.
    package let inverted: Inversions
    /// The matches in order.
    package let matches: [Part]
    /// The target; for a jump or a verdict its name is the chain's or the verdict's, and it has no data to print.
    package let target: Part

    /// Which parts of a head are inverted: `IPT_INV_…` of `<linux/netfilter_ipv4/ip_tables.h>`, which `IP6T_INV_…` equal.
    package struct Inversions: OptionSet, Sendable, Hashable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }

        /// `! -s`
        package static let source = Inversions(rawValue: EntryLayout.sourceInverted)
        /// `! -d`
        package static let destination = Inversions(rawValue: EntryLayout.destinationInverted)
        /// `! -i`
        package static let inInterface = Inversions(rawValue: EntryLayout.inInterfaceInverted)
        /// `! -o`
        package static let outInterface = Inversions(rawValue: EntryLayout.outInterfaceInverted)
        /// `! -f`
        package static let fragment = Inversions(rawValue: EntryLayout.fragmentInverted)
        /// `! -p`
        package static let protocolNumber = Inversions(rawValue: EntryLayout.protocolInverted)
    }

    /// The parts of a rule's entry.
    ///
    /// - Throws: `unencodable` for a rule that has no entry in a table of the family.
    package init(_ rule: KernelRule.Content, _ family: Family) throws(NetfilterError) {
        let layout = EntryLayout.of(family)
        var encoder = EntryEncoder(family)
        entry = try encoder.withEntry(KernelRule(rule)) { Array($0) }
        let reader = try EntryReader(entry, at: 0, layout)
        func part(_ part: EntryReader.Part) -> Part {
            Part(name: reader.name(part), revision: reader.revision(part), offset: part.header, dataSize: part.dataSize)
        }
        let isComparing = layout.protocolFlag == 0 ? reader.protocolNumber != 0 : reader.flags & layout.protocolFlag != 0
        source = reader.address(at: layout.source)
        sourceMask = reader.address(at: layout.sourceMask)
        destination = reader.address(at: layout.destination)
        destinationMask = reader.address(at: layout.destinationMask)
        inInterface = reader.comparedInterface(layout.inInterface, mask: layout.inInterfaceMask)
        outInterface = reader.comparedInterface(layout.outInterface, mask: layout.outInterfaceMask)
        protocolNumber = isComparing ? reader.protocolNumber : nil
        isFragment = family == .ipv4 && reader.flags & EntryLayout.fragmentFlag != 0
        isGoto = reader.flags & layout.gotoFlag != 0
        inverted = Inversions(rawValue: reader.inversions)
        matches = reader.matches.map(part)
        target = part(reader.target)
    }
}

extension EntryReader {
    /// The interface's name as far as its mask goes, and a plus sign if the mask ends within it.
    fileprivate func comparedInterface(_ offset: Int, mask maskOffset: Int) -> String {
        let size = EntryLayout.interfaceSize
        let name = text(at: start + offset, size: size)
        let compared = bytes[start + maskOffset..<start + maskOffset + size].prefix { $0 != 0 }.count
        return compared > name.utf8.count || name.isEmpty ? name : String(decoding: name.utf8.prefix(compared), as: UTF8.self) + "+"
    }
}
