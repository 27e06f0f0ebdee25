import ConfigurationFile
import Rules

/// The rules that translate sources, in the order in which the first that fits decides.
struct TranslationRules {
    /// The rules in that order.
    private(set) var rules: [PlacedRule] = []
    /// What some of them jump to.
    private(set) var chains: [Chain] = []

    private let family: Family
    /// What translations so far fit exactly, by source: a later one of the same packets would never meet any.
    private var decided: [Prefix: [Rule]] = [:]
    private var matcher = PortMatcher(.source)
    private var names = ChainNames()

    init(_ masquerades: [Masquerade], _ family: Family) {
        self.family = family
        rules.reserveCapacity(masquerades.count)
        decided.reserveCapacity(masquerades.count)
        for masquerade in masquerades { add(masquerade) }
    }

    private mutating func add(_ masquerade: Masquerade) {
        let sources = outermost(masquerade.sources, family)
        guard !sources.isEmpty, let target = masquerade.to.target(family),
            let destinations = Destinations(masquerade.destinations, family)
        else { return }
        let matches = matcher.matches(masquerade.ports)
        let rule = Rule(outInterface: masquerade.outInterface?.unlessAny, comment: masquerade.name, target: target)

        var ends: [Rule]
        switch destinations {
        case .anywhere: ends = [rule]
        case .these(let prefixes): ends = prefixes.map { rule.with(\.destination, .of($0)) }
        case .allBut(let prefix): ends = [rule.with(\.destination, AddressMatch(prefix, isInverted: true))]
        case .allButSome(let excluded, let included):
            // One rule has room for one destination. So a chain of their own: what is excluded goes back at once.
            let name = names.exceptions(of: masquerade.name)
            var chain = Chain(name)
            for prefix in excluded {
                chain.rules.append(
                    Rule(destination: AddressMatch(prefix), comment: masquerade.name, target: .returnToCaller))
            }
            let final = Rule(comment: masquerade.name, target: target)
            chain.rules += included.isEmpty ? [final] : included.map { final.with(\.destination, .of($0)) }
            chains.append(chain)
            ends = [rule.with(\.target, .jump(name))]
        }
        for source in sources {
            for end in ends {
                for match in matches {
                    append(source, end.with(\.source, .of(source)).with(\.transport, match))
                }
            }
        }
    }

    private mutating func append(_ source: Prefix, _ rule: Rule) {
        if rule.target.chain == nil {
            // Without name and target: whoever comes first has the packet, whatever a later one would do with it.
            let fitting = rule.with(\.comment, nil).with(\.target, .accept)
            guard decided[source]?.contains(fitting) != true else { return }
            decided[source, default: []].append(fitting)
        }
        rules.append(PlacedRule(prefix: source, rule: rule))
    }
}

/// Where a masquerade's packets of one family go, in the simplest form that says it.
enum Destinations {
    case anywhere
    case these([Prefix])
    case allBut(Prefix)
    /// None of `excluded`, and one of `included` unless that is empty.
    case allButSome(excluded: [Prefix], included: [Prefix])

    /// See `Masquerade.destinations`; nil: no packet fits.
    init?(_ matches: [AddressMatch], _ family: Family) {
        let excluded = outermost(matches.lazy.filter(\.isInverted).map(\.prefix), family)
        let named = outermost(matches.lazy.filter { !$0.isInverted }.map(\.prefix), family)
        let included = named.filter { prefix in !excluded.contains { $0.contains(prefix) } }
        guard included.count > 0 || named.isEmpty, !excluded.contains(where: { $0.length == 0 }) else { return nil }
        // What lies outside of all that is included need not be excluded.
        let holes = included.isEmpty ? excluded : excluded.filter { hole in included.contains { $0.contains(hole) } }
        self =
            switch (holes.count, included.count) {
            case (0, 0): .anywhere
            case (0, _): .these(included)
            case (1, 0): .allBut(holes[0])
            default: .allButSome(excluded: holes, included: included)
            }
    }
}

extension SourceTranslation {
    /// The target that does it; nil if it is to an address of another family.
    func target(_ family: Family) -> Target? {
        switch self {
        case .masquerade: .masquerade
        case .address(let address): address.family == family ? .sourceNAT(address) : nil
        }
    }
}

extension Rule {
    /// The rule with another value for one of its parts.
    func with<Part>(_ part: WritableKeyPath<Rule, Part>, _ value: Part) -> Rule {
        var rule = self
        rule[keyPath: part] = value
        return rule
    }
}
