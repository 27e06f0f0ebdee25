// SPDX-License-Identifier: GPL-2.0-or-later
import CNetlink
import Rules

/// Reads the expressions of one rule of nf_tables as packets of one family meet them: `payload`, `meta` and `ct` load parts of a packet
/// into registers, `bitwise` masks them, `cmp`, `range` and `lookup` compare, and what is left acts.
struct NftRuleDecoder {
    /// The family of the packets.
    let family: Family
    /// The sets of the rule's table by name.
    let sets: [String: NftSet]
    /// The chains of the rule's table: how rules name them.
    let chainID: (String) -> ChainName

    /// What a register holds.
    enum Register {
        case field(NftField, mask: [UInt8]?, xor: [UInt8]?)
        case constant([UInt8])
        case unknown(String)
    }

    /// What the packet must be: it matches if one of these matches.
    private var matches = [RuleMatch()]
    private var registers: [UInt32: Register] = [:]
    private var comment: String?
    /// What the rule does, in order.
    private(set) var rules: [Rule] = []
    /// Whether the rule has a match or target of x_tables.
    private(set) var hasExtensions = false

    /// How many alternatives a rule may have before a set counts as unknown.
    private static let maximumAlternatives = 256

    /// A decoder at the beginning of a rule.
    init(_ family: Family, sets: [String: NftSet], chainID: @escaping (String) -> ChainName) {
        (self.family, self.sets, self.chainID) = (family, sets, chainID)
    }

    /// Takes the next expression in.
    mutating func read(_ name: String, _ data: NetlinkAttributes) {
        switch name {
        case "payload" where data.bytes(NFTA_PAYLOAD_DREG) != nil, "fib": load(name, data, Int(NFTA_PAYLOAD_DREG.rawValue))
        case "meta" where data.bytes(NFTA_META_SREG) == nil: load(name, data, Int(NFTA_META_DREG.rawValue))
        case "ct" where data.bytes(NFTA_CT_SREG) == nil: load(name, data, Int(NFTA_CT_DREG.rawValue))
        case "bitwise": bitwise(data)
        case "cmp": compare(data)
        case "range": compareRange(data)
        case "lookup": lookUp(data)
        case "immediate": immediate(data)
        case "match": match(data)
        case "target": target(data)
        case "counter", "log", "notrack", "last", "dynset", "objref", "flow_offload": break
        case "limit", "quota", "connlimit", "socket", "osf", "numgen", "hash", "exthdr", "rt", "xfrm", "tunnel":
            if let register = data.networkNumber(Int(NFTA_EXTHDR_DREG.rawValue)), !["limit", "quota", "connlimit"].contains(name) {
                set(register, .unknown(name))
            } else {
                require(unknown: name)
            }
        default: act(name, data)
        }
    }

    // MARK: - Registers

    /// Registers of 16 bytes are four of 4 bytes (`enum nft_registers`).
    private static func number(_ register: UInt32) -> UInt32 {
        (1...4).contains(register) ? UInt32(NFT_REG32_00.rawValue) + 4 * (register - 1) : register
    }

    private mutating func set(_ register: UInt32?, _ value: Register) {
        guard let register else { return }
        registers[NftRuleDecoder.number(register)] = value
    }

    func register(_ number: UInt32?) -> Register {
        number.flatMap { registers[NftRuleDecoder.number($0)] } ?? .unknown("register")
    }

    private mutating func load(_ name: String, _ data: NetlinkAttributes, _ destination: Int) {
        // NFTA_PAYLOAD_DREG, NFTA_META_DREG, NFTA_CT_DREG and NFTA_FIB_DREG are the same number.
        set(data.networkNumber(destination), NftField(name, data, family).map { .field($0, mask: nil, xor: nil) } ?? .unknown(name))
    }

    private mutating func bitwise(_ data: NetlinkAttributes) {
        let destination = data.networkNumber(NFTA_BITWISE_DREG)
        // The operation 0 is "mask, then XOR"; others shift.
        guard (data.networkNumber(NFTA_BITWISE_OP) ?? 0) == 0,
            let mask = data.nested(NFTA_BITWISE_MASK)?.bytes(NFTA_DATA_VALUE),
            case .field(let field, nil, nil) = register(data.networkNumber(NFTA_BITWISE_SREG))
        else { return set(destination, .unknown("bitwise")) }
        let xor = data.nested(NFTA_BITWISE_XOR)?.bytes(NFTA_DATA_VALUE).map(Array.init)
        set(destination, .field(field, mask: Array(mask), xor: xor.flatMap { $0.allSatisfy { $0 == 0 } ? nil : $0 }))
    }

    // MARK: - Matches

    private mutating func require(unknown name: String) {
        let condition = Condition.other(ExtensionBytes(name: "nft \(name)", revision: 0, bytes: []))
        for index in matches.indices { matches[index].conditions.append(condition) }
    }

    /// Has every alternative match the comparison; those that cannot are gone.
    private mutating func require(_ comparison: NftComparison) {
        var left: [RuleMatch] = []
        for var match in matches {
            switch comparison.add(to: &match, family) {
            case .taken: left.append(match)
            case .never: break
            case .unknown:
                match.conditions.append(.other(ExtensionBytes(name: "nft cmp", revision: 0, bytes: [])))
                left.append(match)
            }
        }
        matches = left
    }

    private mutating func compare(_ data: NetlinkAttributes) {
        guard case .field(let field, let mask, nil) = register(data.networkNumber(NFTA_CMP_SREG)),
            let value = data.nested(NFTA_CMP_DATA)?.bytes(NFTA_DATA_VALUE).map(Array.init),
            let operation = data.networkNumber(NFTA_CMP_OP)
        else { return require(unknown: "cmp") }
        let least = value.map { _ in UInt8(0) }
        let most = value.map { _ in UInt8(0xff) }
        let (first, last, isInverted): ([UInt8], [UInt8], Bool)
        switch operation {
        case UInt32(NFT_CMP_EQ.rawValue): (first, last, isInverted) = (value, value, false)
        case UInt32(NFT_CMP_NEQ.rawValue): (first, last, isInverted) = (value, value, true)
        case UInt32(NFT_CMP_LTE.rawValue): (first, last, isInverted) = (least, value, false)
        case UInt32(NFT_CMP_GT.rawValue): (first, last, isInverted) = (least, value, true)
        case UInt32(NFT_CMP_GTE.rawValue): (first, last, isInverted) = (value, most, false)
        case UInt32(NFT_CMP_LT.rawValue): (first, last, isInverted) = (value, most, true)
        default: return require(unknown: "cmp")
        }
        require(NftComparison(field: field, mask: mask, first: first, last: last, isInverted: isInverted))
    }

    private mutating func compareRange(_ data: NetlinkAttributes) {
        guard case .field(let field, let mask, nil) = register(data.networkNumber(NFTA_RANGE_SREG)),
            let first = data.nested(NFTA_RANGE_FROM_DATA)?.bytes(NFTA_DATA_VALUE),
            let last = data.nested(NFTA_RANGE_TO_DATA)?.bytes(NFTA_DATA_VALUE)
        else { return require(unknown: "range") }
        let isInverted = data.networkNumber(NFTA_RANGE_OP) == UInt32(NFT_RANGE_NEQ.rawValue)
        require(
            NftComparison(field: field, mask: mask, first: Array(first), last: Array(last), isInverted: isInverted))
    }

    private mutating func lookUp(_ data: NetlinkAttributes) {
        let destination = data.networkNumber(NFTA_LOOKUP_DREG)
        let isInverted = (data.networkNumber(NFTA_LOOKUP_FLAGS) ?? 0) & UInt32(NFT_LOOKUP_F_INV.rawValue) != 0
        guard case .field(let field, let mask, nil) = register(data.networkNumber(NFTA_LOOKUP_SREG)),
            let set = data.text(NFTA_LOOKUP_SET).flatMap({ sets[$0] }),
            isInverted || matches.count * set.elements.count <= NftRuleDecoder.maximumAlternatives
        else {
            require(unknown: "lookup")
            return self.set(destination, .unknown("lookup"))
        }
        func comparison(_ element: NftSet.Element) -> NftComparison {
            NftComparison(field: field, mask: mask, first: element.first, last: element.last, isInverted: isInverted)
        }
        if isInverted {
            for element in set.elements { require(comparison(element)) }
            return
        }
        let before = matches
        var after: [RuleMatch] = []
        for element in set.elements {
            matches = before
            require(comparison(element))
            if destination == UInt32(NFT_REG_VERDICT.rawValue), case .verdict(let verdict) = element.value { emit(verdict) }
            after += matches
        }
        matches = destination == UInt32(NFT_REG_VERDICT.rawValue) ? before : after
        if let destination, destination != UInt32(NFT_REG_VERDICT.rawValue) { self.set(destination, .unknown("map")) }
    }

    private mutating func match(_ data: NetlinkAttributes) {
        guard let name = data.text(NFTA_MATCH_NAME) else { return require(unknown: "match") }
        hasExtensions = true
        let bytes = Array(data.bytes(NFTA_MATCH_INFO) ?? [])
        if name == "comment" {
            comment = comment ?? String(keeping: bytes.prefix { $0 != 0 })
            return
        }
        let revision = UInt8(truncatingIfNeeded: data.networkNumber(NFTA_MATCH_REV) ?? 0)
        for index in matches.indices {
            matches[index].conditions.append(.other(ExtensionBytes(name: name, revision: revision, bytes: bytes)))
        }
    }

    // MARK: - Targets

    mutating func emit(_ target: Target) {
        rules += matches.map { Rule($0, comment: comment, target: target) }
    }

    private mutating func emit(_ verdict: NftVerdict) {
        switch verdict.code {
        case Int32(NF_ACCEPT): emit(.accept)
        case Int32(NF_DROP): emit(.drop)
        case Int32(NF_QUEUE): emit(.queue)
        case Int32(NFT_RETURN.rawValue): emit(.returnToCaller)
        case Int32(NFT_JUMP.rawValue): emit(.jump(chainID(verdict.chain ?? "")))
        case Int32(NFT_GOTO.rawValue): emit(.goTo(chainID(verdict.chain ?? "")))
        default: break
        }
    }

    private mutating func immediate(_ data: NetlinkAttributes) {
        let content = data.nested(NFTA_IMMEDIATE_DATA)
        if let verdict = content?.nested(NFTA_DATA_VERDICT).flatMap(NftVerdict.init) {
            emit(verdict)
        } else if let bytes = content?.bytes(NFTA_DATA_VALUE) {
            set(data.networkNumber(NFTA_IMMEDIATE_DREG), .constant(Array(bytes)))
        }
    }

    private mutating func target(_ data: NetlinkAttributes) {
        guard let name = data.text(NFTA_TARGET_NAME) else { return }
        hasExtensions = true
        emit(
            .other(
                ExtensionBytes(
                    name: name, revision: UInt8(truncatingIfNeeded: data.networkNumber(NFTA_TARGET_REV) ?? 0),
                    bytes: Array(data.bytes(NFTA_TARGET_INFO) ?? []))))
    }
}
