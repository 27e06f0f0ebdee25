// SPDX-License-Identifier: GPL-2.0-or-later
import CNetfilter
package import Rules

extension Rule {
    /// The same rule with words for those of its `other` matches and targets that there are words for: rules of `iptables-nft` have
    /// matches and targets of x_tables in them as bytes.
    ///
    /// They are read as if they were in an entry of x_tables, by the same decoder. Bytes that cannot be in an entry stay
    /// as they are.
    package func decodingExtensions(_ family: Family) -> Rule {
        var rule = self
        rule.match.conditions = match.conditions.flatMap { condition in
            guard case .other(let extensionBytes) = condition else { return [condition] }
            return Rule.decode(match: extensionBytes, family)?.match.conditions ?? [condition]
        }
        if case .other(let extensionBytes) = target, let decoded = Rule.decode(target: extensionBytes, family) {
            rule.target = decoded.target
        }
        return rule
    }

    private static func decode(match: ExtensionBytes, _ family: Family) -> Rule? {
        part(match).flatMap {
            decode([$0], target: part(ExtensionBytes(name: "", revision: 0, bytes: [0, 0, 0, 0])) ?? [], family)
        }
    }

    private static func decode(target: ExtensionBytes, _ family: Family) -> Rule? {
        part(target).flatMap { decode([], target: $0, family) }
    }

    /// A match or target with its header (`struct xt_entry_match`), as long as alignment asks for; nil if it cannot be one.
    private static func part(_ part: ExtensionBytes) -> [UInt8]? {
        let name = Array(part.name.utf8)
        guard name.count < EntryLayout.nameSize, part.bytes.count <= 4096 else { return nil }
        let size = EntryLayout.headerSize + (part.bytes.count + 7) & ~7
        var bytes = withUnsafeBytes(of: UInt16(size)) { Array($0) } + name
        bytes += [UInt8](repeating: 0, count: EntryLayout.headerRevision - bytes.count) + [part.revision] + part.bytes
        return bytes + [UInt8](repeating: 0, count: size - bytes.count)
    }

    private static func decode(_ matches: [[UInt8]], target: [UInt8], _ family: Family) -> Rule? {
        let layout = EntryLayout.of(family)
        var bytes = [UInt8](repeating: 0, count: layout.size) + matches.joined()
        let targetOffset = UInt16(bytes.count)
        bytes += target
        let end = UInt16(bytes.count)
        for (offset, value) in [(layout.targetOffset, targetOffset), (layout.nextOffset, end)] {
            withUnsafeBytes(of: value) { bytes.replaceSubrange(offset..<offset + 2, with: $0) }
        }
        guard let entry = try? EntryReader(bytes, at: 0, layout) else { return nil }
        var decoder = EntryDecoder(family) { _ in nil }
        return decoder.decode(entry).rule
    }
}
