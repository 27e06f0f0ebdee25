// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Rules

/// The services of one family by their addresses, so that a rule about one address is not held against all of them.
struct ServiceIndex {
    private let all: [Service]
    /// Services of single addresses alone.
    private var single: [Address: [Int]] = [:]
    /// All others, by their numbers.
    private var wide: [Int] = []

    /// The services that packets of the family can be of.
    init(_ facts: Facts, _ family: Family) {
        all = facts.marked.filter { $0.families.contains(family) }.map(\.service)
        for (number, service) in all.enumerated() {
            let own = service.addresses.included.filter { $0.family == family }
            if own.isEmpty || own.contains(where: { $0.length < family.bitWidth }) {
                wide.append(number)
            } else {
                for prefix in own { single[prefix.address, default: []].append(number) }
            }
        }
    }

    /// The services, in the order of the file, that the rule may be about by its destination.
    func services(for rule: ReachedRule) -> [Service] {
        for match in [rule.rule.match] + rule.path {
            guard let destination = match.destination, !destination.isInverted,
                destination.prefix.length == destination.prefix.family.bitWidth
            else { continue }
            return Set((single[destination.prefix.address] ?? []) + wide).sorted().map { all[$0] }
        }
        return all
    }
}
