// SPDX-License-Identifier: GPL-2.0-or-later
import Rules

/// A rule and the prefix of addresses whose packets it is about, in numbers: 10,000 services make 10,000 of these, and few
/// different values.
struct PlacedRule {
    /// The prefix: of destinations for marks and helpers, of sources for translations.
    let prefix: Prefix
    /// The protocol and ports, as an index into `RuleParts.traffics`.
    let traffic: Int32
    /// What else is asked, as an index into `RuleParts.rests`.
    let rest: Int32
    /// What is done, as an index into `RuleParts.targets`.
    let target: Int32
    /// The service or translation that it belongs to.
    let owner: Int32
}

/// What the placed rules of a table are made of.
struct RuleParts {
    /// On which side the prefixes are.
    let side: AddressSide
    /// Protocols and ports, each once.
    private(set) var traffics: [RuleMatch] = []
    /// What else rules ask. The first asks nothing.
    private(set) var rests: [RuleMatch] = [RuleMatch()]
    /// What rules do.
    private(set) var targets: [Target] = []
    private var known: [RuleMatch: Int32] = [:]

    init(_ side: AddressSide) { self.side = side }

    /// The number of the protocol and ports.
    mutating func number(ofTraffic match: RuleMatch) -> Int32 {
        if let number = known[match] { return number }
        traffics.append(match)
        known[match] = Int32(traffics.count - 1)
        return Int32(traffics.count - 1)
    }

    /// The number of what else is asked.
    mutating func number(ofRest match: RuleMatch) -> Int32 {
        if match.isUnconditional { return 0 }
        rests.append(match)
        return Int32(rests.count - 1)
    }

    /// The number of what is done.
    mutating func number(ofTarget target: Target) -> Int32 {
        targets.append(target)
        return Int32(targets.count - 1)
    }

    /// The rule.
    ///
    /// - Parameter isBare: whether protocol and ports have been asked for on the way to it.
    func rule(_ placed: PlacedRule, isBare: Bool = false) -> Rule {
        let address = AddressMatch.of(placed.prefix)
        let target = targets[Int(placed.target)]
        if isBare, placed.rest == 0 {
            let isSource = side == .source
            return Rule(
                RuleMatch(source: isSource ? address : nil, destination: isSource ? nil : address), target: target)
        }
        var match = rests[Int(placed.rest)]
        if let address { match[side] = address }
        if !isBare {
            let traffic = traffics[Int(placed.traffic)]
            match.transport = traffic.transport
            match.conditions = match.conditions.isEmpty ? traffic.conditions : traffic.conditions + match.conditions
        }
        return Rule(match, target: target)
    }

    /// The rule that leads on to a chain of the packets of the prefix, and of the traffic where there is one.
    func step(to chain: ChainName, _ prefix: Prefix, traffic: Int32?, returns: Bool) -> Rule {
        var match = traffic.map { traffics[Int($0)] } ?? RuleMatch()
        match[side] = .of(prefix)
        return Rule(match, target: returns ? .jump(chain) : .goTo(chain))
    }
}
