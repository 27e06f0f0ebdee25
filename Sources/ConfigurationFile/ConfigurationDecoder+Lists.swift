// SPDX-License-Identifier: GPL-2.0-or-later
import Rules

/// A list of prefixes, and where its first entry without "!" of each family is.
struct PrefixList {
    var selection = Selection<Prefix>()
    var first: (ipv4: Entry?, ipv6: Entry?)
    /// Families that are excluded whole.
    var excluded: Set<Family> = []

    struct Entry {
        let index: Int
        let place: Place
    }

    subscript(family: Family) -> Entry? {
        get { family == .ipv4 ? first.ipv4 : first.ipv6 }
        set { if family == .ipv4 { first.ipv4 = newValue } else { first.ipv6 = newValue } }
    }

    /// Whether packets of the family can match.
    func has(_ family: Family) -> Bool { selection.included.isEmpty ? !excluded.contains(family) : self[family] != nil }
}

extension ConfigurationDecoder {
    // MARK: - Addresses

    /// Prefixes, with or without "!".
    mutating func prefixes() -> PrefixList {
        var list = PrefixList()
        let before = draft.errors.count
        let place = events.place
        var places: [PrefixList.Entry] = []
        elements(exclusions: .allowed) { (text) throws(Refusal) in
            if let prefix = text.prefix { return (prefix, false) }
            if let prefix = text.excluded?.prefix { return (prefix, true) }
            return try ValueText.prefix(explaining: text)
        } _: { entry, index, place in
            let (prefix, isExcluded) = entry
            if isExcluded {
                list.selection.excluded.append(prefix)
            } else {
                list.selection.included.append(prefix)
                places.append(.init(index: index, place: place))
                if list[prefix.family] == nil { list[prefix.family] = .init(index: index, place: place) }
            }
        }
        if !list.selection.excluded.isEmpty && draft.errors.count == before { checkExclusions(&list, places, place) }
        return list
    }

    /// Prefixes where there can be no "!".
    mutating func plainPrefixes() -> [Prefix] {
        var prefixes: [Prefix] = []
        elements { (text) throws(Refusal) in
            if let prefix = text.prefix { return prefix }
            if text.excluded?.prefix != nil {
                throw Refusal("\"\(text.string)\": nothing can be excluded here; a service under \"services:\" can have exclusions")
            }
            return try ValueText.prefix(explaining: text).0
        } _: { prefix, _, _ in
            prefixes.append(prefix)
        }
        return prefixes
    }

    /// Notes entries that never match because others exclude all of them.
    private mutating func checkExclusions(_ list: inout PrefixList, _ places: [PrefixList.Entry], _ place: Place) {
        let excluded = AddressRanges(list.selection.excluded)
        for (number, prefix) in list.selection.included.enumerated() where excluded.contains(prefix) {
            let entry = places[number]
            at(.index(entry.index)) {
                $0.draft.errors.add(entry.place, "never matches: all of \(prefix) is excluded by an entry with \"!\"")
            }
        }
        list.excluded = Set(AddressRanges.everything.lazy.filter(excluded.contains).map(\.family))
        if list.selection.included.isEmpty && list.excluded.count == Family.allCases.count {
            draft.errors.add(place, "never matches: every address is excluded")
        }
    }

    /// Notes entries that never match because the other list has no address of their family.
    mutating func compareFamilies(
        _ left: (step: ErrorList.Step, list: PrefixList, noun: String),
        _ right: (step: ErrorList.Step, list: PrefixList, noun: String)
    ) {
        for (one, other) in [(left, right), (right, left)] {
            for family in Family.allCases where !other.list.has(family) {
                guard let entry = one.list[family] else { continue }
                at(one.step) {
                    $0.at(.index(entry.index)) {
                        $0.draft.errors.add(
                            entry.place,
                            "never matches: the \(one.noun) is \(family.words), and "
                                + (other.list.excluded.contains(family)
                                    ? "every \(family.words) \(other.noun) is excluded" : "no \(other.noun) is \(family.words)"))
                    }
                }
            }
        }
    }

    /// Notes that no family is left in which both lists have addresses, where no entry of theirs shows it.
    mutating func checkFamilies(_ left: PrefixList, _ right: PrefixList, _ place: Place) {
        if !Family.allCases.contains(where: { left.has($0) && right.has($0) }) {
            draft.errors.add(place, "never matches: one list excludes all of IPv4 and the other all of IPv6")
        }
    }

    // MARK: - Others

    mutating func macs() -> Selection<MACAddress> {
        var selection = Selection<MACAddress>()
        let (place, before) = (events.place, draft.errors.count)
        elements(exclusions: .allowed) { (text) throws(Refusal) in
            let body = (text.excluded ?? text).string
            let address: MACAddress
            do throws(InvalidValue) {
                address = try MACAddress(parsing: body)
            } catch {
                throw ValueText.explain(mac: body, error, isExcluded: text.excluded != nil)
            }
            if let refusal = ValueText.explain(sender: address) { throw refusal }
            return (address, text.excluded != nil)
        } _: { entry, _, _ in
            if entry.1 { selection.excluded.append(entry.0) } else { selection.included.append(entry.0) }
        }
        let excluded = Set(selection.excluded)
        if draft.errors.count == before, let never = selection.included.first(where: excluded.contains) {
            draft.errors.add(place, "never matches: \(never) is excluded by an entry with \"!\"")
        }
        return selection
    }

    /// One interface or several.
    mutating func interfaces() -> Selection<InterfacePattern> {
        var selection = Selection<InterfacePattern>()
        let (place, before) = (events.place, draft.errors.count)
        elements(orOne: true, exclusions: .allowed) { (text) throws(Refusal) in
            try InterfaceText.parse(text.string)
        } _: { entry, _, _ in
            if entry.isExcluded { selection.excluded.append(entry.0) } else { selection.included.append(entry.0) }
        }
        guard draft.errors.count == before, !selection.excluded.isEmpty else { return selection }
        let excluded = NameRanges(selection.excluded)
        if let never = selection.included.first(where: excluded.contains) {
            draft.errors.add(place, "never matches: \(never) is excluded by an entry with \"!\"")
        } else if selection.excluded.contains(where: { $0.isPrefix && $0.name.isEmpty }) {
            draft.errors.add(place, "never matches: every interface is excluded")
        }
        return selection
    }

    /// Protocols without ports, or `any`.
    mutating func protocols(_ traffic: inout Traffic) {
        if events.kind == .scalar, events.scalar == "any", !refuses() {
            traffic.isEverything = true
            return
        }
        var numbers: [UInt8] = []
        elements { (text) throws(Refusal) in
            try ProtocolText.parse(text.string)
        } _: { number, _, _ in
            numbers.append(number)
        }
        traffic.protocols = numbers
    }

    /// Hooks, in the kernel's order.
    mutating func hooks() -> [Hook] {
        var hooks: Set<Hook> = []
        elements { (text) throws(Refusal) in
            func hook(_ text: String) -> Hook? {
                Hook(rawValue: text).flatMap { [.prerouting, .input, .output].contains($0) ? $0 : nil }
            }
            if let hook = hook(text.string) { return hook }
            let meant = hook(text.string.lowercased()).map { "; write \($0)" } ?? ""
            throw Refusal("invalid hook \"\(text.string)\": a mark is set in prerouting, input or output\(meant)")
        } _: { hook, _, _ in
            hooks.insert(hook)
        }
        return hooks.sorted()
    }
}
