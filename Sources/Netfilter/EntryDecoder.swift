// SPDX-License-Identifier: GPL-2.0-or-later
import CNetfilter
import Rules

/// Entries as rules: what `Rules.Rule` has words for becomes words, anything else is kept as bytes.
struct EntryDecoder: ~Copyable {
    let family: Family
    /// The chain that begins at an offset from the table's start.
    private let chain: (Int32) -> ChainName?
    private var encoder: EntryEncoder

    init(_ family: Family, chain: @escaping (Int32) -> ChainName?) {
        self.family = family
        self.chain = chain
        encoder = EntryEncoder(family)
    }

    /// The rule in the entry.
    mutating func decode(_ entry: EntryReader) -> KernelRule {
        let target = target(entry)
        var rule = Rule(target: target)
        decodeHead(entry, &rule.match)
        for part in entry.matches {
            if entry.isPart(part, "comment", revision: 0, size: Int(XT_MAX_COMMENT_LEN)) {
                // Further comments are in the entry alone.
                if rule.comment == nil { rule.comment = entry.text(at: part.data, size: Int(XT_MAX_COMMENT_LEN)) }
            } else {
                rule.match.conditions += conditions(part, entry)
            }
        }
        let normalised = entry.normalised(target: target.libiptcName)
        let isExact = encoder.isEncoding(rule, normalised)
        return KernelRule(KernelRule.Content(rule, entry: isExact ? nil : normalised), counters: entry.counters)
    }

    // MARK: - The head

    /// What a head asks for that `RuleMatch` cannot express becomes a condition of these names.
    private func decodeHead(_ entry: EntryReader, _ match: inout RuleMatch) {
        let layout = entry.layout
        func keep(_ name: String, _ ranges: [Range<Int>]) {
            let bytes = ranges.flatMap { entry.bytes[entry.start + $0.lowerBound..<entry.start + $0.upperBound] }
            match.conditions.append(.other(ExtensionBytes(name: name, revision: entry.inversions, bytes: bytes)))
        }
        let size = layout.addressSize
        if let source = entry.addressMatch(layout.source, mask: layout.sourceMask, inverted: EntryLayout.sourceInverted) {
            match.source = source
        } else {
            keep("source mask", [layout.source..<layout.source + size, layout.sourceMask..<layout.sourceMask + size])
        }
        if let destination = entry.addressMatch(
            layout.destination, mask: layout.destinationMask, inverted: EntryLayout.destinationInverted)
        {
            match.destination = destination
        } else {
            keep(
                "destination mask",
                [layout.destination..<layout.destination + size, layout.destinationMask..<layout.destinationMask + size])
        }
        if let interface = entry.interface(
            layout.inInterface, mask: layout.inInterfaceMask, inverted: EntryLayout.inInterfaceInverted)
        {
            match.inInterface = interface
        } else {
            keep("in-interface mask", [layout.inInterface..<layout.inInterface + EntryLayout.interfaceSize])
        }
        if let interface = entry.interface(
            layout.outInterface, mask: layout.outInterfaceMask, inverted: EntryLayout.outInterfaceInverted)
        {
            match.outInterface = interface
        } else {
            keep("out-interface mask", [layout.outInterface..<layout.outInterface + EntryLayout.interfaceSize])
        }
        decodeProtocol(entry, &match)
        let known = layout.protocolFlag | layout.gotoFlag | (family == .ipv4 ? EntryLayout.fragmentFlag : 0)
        if entry.flags & ~known != 0 { keep("flags", [layout.flags..<layout.flags + 1]) }
    }

    private func decodeProtocol(_ entry: EntryReader, _ match: inout RuleMatch) {
        let number = entry.protocolNumber
        // IPv6 entries say in a flag whether the protocol counts.
        let isCompared = entry.layout.protocolFlag == 0 ? number != 0 : entry.flags & entry.layout.protocolFlag != 0
        let isInverted = entry.inversions & EntryLayout.protocolInverted != 0
        if isCompared {
            if let number = UInt8(exactly: number) {
                match.transport = ProtocolMatch(number, isInverted: isInverted)
            } else {
                match.conditions.append(.other(ExtensionBytes(name: "protocol \(number)", revision: 0, bytes: [])))
            }
        }
        guard family == .ipv4 else { return }
        let isInvertedFragment = entry.inversions & EntryLayout.fragmentInverted != 0
        if entry.flags & EntryLayout.fragmentFlag != 0 {
            match.isFurtherFragment = !isInvertedFragment
        } else if isInvertedFragment {
            match.conditions.append(.other(ExtensionBytes(name: "fragment", revision: 0, bytes: [])))
        }
    }

    // MARK: - Targets

    private func target(_ entry: EntryReader) -> Target {
        let isGoto = entry.flags & entry.layout.gotoFlag != 0
        if let verdict = entry.verdict {
            if verdict >= 0 {
                // A rule without a target leads to the next one.
                guard let chain = chain(verdict) else { return .none }
                return isGoto ? .goTo(chain) : .jump(chain)
            }
            switch verdict {
            case EntryLayout.verdictAccept: return .accept
            case EntryLayout.verdictDrop: return .drop
            case EntryLayout.verdictReturn: return .returnToCaller
            case EntryLayout.verdictQueue: return .queue
            default: break
            }
        }
        let part = entry.target
        return known(part, entry)
            ?? .other(
                ExtensionBytes(name: entry.name(part), revision: entry.revision(part), bytes: Array(entry.data(part))))
    }

    private func known(_ part: EntryReader.Part, _ entry: EntryReader) -> Target? {
        if entry.isPart(part, "MARK", revision: 2, size: MemoryLayout<xt_mark_tginfo2>.size) {
            let info = entry.bytes.load(xt_mark_tginfo2.self, at: part.data)
            return .mark(MarkOperation(value: info.mark, mask: info.mask))
        }
        return connectionMark(part, entry) ?? helper(part, entry) ?? translation(part, entry)
            ?? destinationTranslation(part, entry)
    }
}

extension Target {
    /// A standard target as libiptc names it: the chain, the verdict, or nothing.
    var libiptcName: [UInt8] {
        switch self {
        case .jump(let chain), .goTo(let chain): chain.bytes
        case .accept: Array("ACCEPT".utf8)
        case .drop: Array("DROP".utf8)
        case .queue: Array("QUEUE".utf8)
        case .returnToCaller: Array("RETURN".utf8)
        default: []
        }
    }
}
