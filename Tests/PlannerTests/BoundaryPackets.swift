// SPDX-License-Identifier: GPL-2.0-or-later
import Judge
import Rules

/// One packet of each interval between two neighbouring boundaries that some of the rules have, in every combination: no rule can tell
/// two packets of one combination apart. Of addresses between which neither the rules nor the configuration make a difference one pair
/// is enough.
struct BoundaryPackets {
    private let id: TableID
    private let hook: Hook
    private let rules: [RuleMatch]

    init(_ id: TableID, _ hook: Hook, _ rules: [Rule]) {
        self.id = id
        self.hook = hook
        self.rules = Array(Set(rules.map(\.match)))
    }

    /// - Parameter entries: the entries of the configuration that are about packets between these addresses.
    func forEach(_ entries: (_ source: Address, _ destination: Address) -> [Int], _ body: (JudgedPacket) -> Void) {
        var seen: Set<[Int]> = []
        for source in addresses(rules, \.source) {
            let ofSource = rules.indices.filter { rules[$0].source?.matches(source) ?? true }
            for destination in addresses(ofSource.map { rules[$0] }, \.destination) {
                let numbers = ofSource.filter { rules[$0].destination?.matches(destination) ?? true }
                guard seen.insert(numbers + [-1] + entries(source, destination)).inserted else { continue }
                let ofBoth = numbers.map { rules[$0] }
                for number in protocols(ofBoth) {
                    let ofAll = ofBoth.filter { $0.transport?.matches(number) ?? true }
                    for port in ports(ofAll) {
                        vary(packet(number, source, destination, port), ofAll, body)
                    }
                    var fragment = packet(number, source, destination, 0)
                    fragment.isFurtherFragment = true
                    vary(fragment, ofAll, body)
                }
            }
        }
    }

    private func packet(_ number: UInt8, _ source: Address, _ destination: Address, _ port: UInt16) -> JudgedPacket {
        var packet = JudgedPacket(id.family)
        (packet.protocolNumber, packet.source, packet.destination) = (number, source, destination)
        (packet.sourcePort, packet.destinationPort) = (port, port)
        return packet
    }

    /// The packet by each interface, from each sender, with each mark that a rule asks for, and by and with others.
    private func vary(_ packet: JudgedPacket, _ rules: [RuleMatch], _ body: (JudgedPacket) -> Void) {
        let asksInterface = rules.contains { $0.inInterface != nil || $0.outInterface != nil }
        let conditions = rules.flatMap(\.conditions)
        var senders: [MACAddress?] = [nil]
        var marks: Set<UInt32> = [0]
        var connectionMarks: Set<UInt32> = [0]
        for condition in conditions {
            switch condition {
            case .mac(let address, _): senders += senders.contains(address) ? [] : [address]
            case .mark(let match): marks.insert(match.value | ~match.mask & 0x5a5a_5a5a)
            case .connectionMark(let match): connectionMarks.insert(match.value | ~match.mask & 0xa5a5_a5a5)
            default: break
            }
        }
        if senders.count > 1 { senders.append(MACAddress(bits: 0x0200_5e99_0000)) }
        if hook == .output { senders = [nil] }
        for interface in asksInterface && hook != .output ? ["eth0", "eth1", "eth2", "wan0", "lo"] : [hook == .output ? "" : "lo"] {
            for sender in senders {
                for mark in marks {
                    for connectionMark in connectionMarks {
                        var packet = packet
                        packet.inInterface = hook == .output || hook == .postrouting ? "" : interface
                        packet.outInterface = hook == .postrouting ? interface : ""
                        packet.mac = sender
                        packet.isFromEthernet = sender != nil
                        packet.mark = PartialMark(mark)
                        packet.connectionMark = PartialMark(connectionMark)
                        body(packet)
                    }
                }
            }
        }
    }

    private func protocols(_ rules: [RuleMatch]) -> [UInt8] {
        var numbers: Set<UInt8> = [253]
        for rule in rules {
            if let number = rule.transport?.number { numbers.insert(number) }
            if rule.conditions.contains(.other(.authenticationHeader)) { numbers.insert(51) }
        }
        return numbers.sorted()
    }

    /// The first address of each interval.
    private func addresses(_ rules: [RuleMatch], _ part: KeyPath<RuleMatch, AddressMatch?>) -> [Address] {
        var starts: Set<Address> = [Address(family: id.family, bits: 0)]
        for prefix in Set(rules.compactMap { $0[keyPath: part]?.prefix }) {
            starts.insert(prefix.address)
            starts.insert(Address(family: id.family, bits: prefix.last.bits &+ 1))
        }
        return starts.sorted()
    }

    /// The first port of each interval.
    private func ports(_ rules: [RuleMatch]) -> [UInt16] {
        var starts: Set<UInt16> = [0]
        for case .ports(let match) in rules.lazy.flatMap(\.conditions) {
            for range in match.ranges { starts.formUnion([range.lower, range.upper &+ 1]) }
        }
        return starts.sorted()
    }
}
