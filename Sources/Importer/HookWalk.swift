import Rules

/// The rules that packets meet behind one hook of a table, in the order in which they meet them.
///
/// A chain that is entered without conditions is as good as written out in the place of the jump. Chains that are entered under
/// conditions stay closed: the jump is one rule, which may do what the chain's rules do.
struct HookWalk {
    /// A rule in that order.
    struct Item {
        let rule: FoundRule
        /// The written-out chains that it stands in, outermost first, each time numbered anew; empty in the hook's own chain.
        let path: [Int]
        let effect: Effect
    }

    /// What a rule may do to packets beside what its own words say.
    struct Effect: OptionSet {
        let rawValue: Int
        /// It keeps packets from all rules of the table behind it.
        static let ends = Effect(rawValue: 1)
        /// It keeps packets from the rules behind it in its own chain.
        static let returns = Effect(rawValue: 2)
        /// It changes packets' marks.
        static let marks = Effect(rawValue: 4)
    }

    private(set) var items: [Item] = []
    /// How many of them stand before the jump into our chain; nil: packets meet no such jump.
    private(set) var countBeforeOurs: Int?
    /// The rules that packets do not meet on a way that is known here: each with its reason.
    private(set) var unreached: [(rule: FoundRule, reason: String)] = []

    private let chains: [String: FoundRules.Chain]
    private var effects: [String: Effect] = [:]
    private var paths = 0
    /// How often a chain is written out at most: chains that jump twice into the next one, and so on, would have no end.
    private static let mostPaths = 10_000
    private var entered: Set<String> = []

    init(_ chains: [FoundRules.Chain], hook: ChainName) {
        self.chains = Dictionary(chains.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        enter(hook.text, path: [], within: [])
        for chain in chains where !entered.contains(chain.name) && !ChainName(fromKernel: chain.name).isOurs {
            let reason =
                chain.isUserDefined
                ? "in a chain that \(hook) does not lead into for every packet"
                : "in \(chain.name), while fwmarkd works in \(hook)"
            unreached += chain.rules.map { ($0, reason) }
        }
    }

    private mutating func enter(_ name: String, path: [Int], within: Set<String>) {
        guard let chain = chains[name] else { return }
        entered.insert(name)
        for (index, rule) in chain.rules.enumerated() {
            guard case .chain(let next)? = rule.target, !ChainName(fromKernel: next).isOurs else {
                if case .chain? = rule.target {
                    countBeforeOurs = countBeforeOurs ?? items.count
                    continue
                }
                items.append(Item(rule: rule, path: path, effect: effect(of: rule, [])))
                continue
            }
            guard rule.isUnconditional, chains[next] != nil, !within.contains(next), next != name, paths < HookWalk.mostPaths
            else {
                items.append(Item(rule: rule, path: path, effect: effect(of: rule, [])))
                continue
            }
            paths += 1
            enter(next, path: path + [paths], within: within.union([name]))
            if rule.parsed.isGoto {
                unreached += chain.rules[(index + 1)...].map { ($0, "behind a goto that takes every packet") }
                return
            }
        }
    }

    /// Targets that leave packet, mark and traversal as they are, or throw the packet away, after which its mark is nothing to
    /// anybody (iptables-extensions(8)).
    private static let harmless: Set<String> = [
        "AUDIT", "CHECKSUM", "CLASSIFY", "CONNSECMARK", "CT", "DROP", "DSCP", "ECN", "HL", "IDLETIMER", "LED", "LOG", "NFLOG",
        "NOTRACK", "RATEEST", "SECMARK", "SET", "TCPMSS", "TCPOPTSTRIP", "TEE", "TOS", "TRACE", "TTL", "ULOG",
    ]

    private mutating func effect(of rule: FoundRule, _ within: Set<String>) -> Effect {
        switch rule.target {
        case nil: return []
        case .chain(let name):
            guard let chain = chains[name], !within.contains(name) else { return .ends }
            var effect = effects[name] ?? []
            if effects[name] == nil {
                for rule in chain.rules { effect.formUnion(self.effect(of: rule, within.union([name]))) }
                // RETURN leads back to here.
                effect.remove(.returns)
                effects[name] = effect
            }
            if rule.parsed.isGoto { effect.insert(.returns) }
            return effect
        case .module("RETURN"): return .returns
        case .module("MARK"), .module("HMARK"): return .marks
        case .module("CONNMARK"): return rule.text.contains("--restore-mark") ? .marks : []
        case .module("TPROXY"): return [.ends, .marks]
        case .module(let name): return HookWalk.harmless.contains(name) ? [] : .ends
        }
    }
}

extension FoundRule {
    /// Where a rule leads.
    enum Target: Equatable {
        case chain(String)
        case module(String)
    }

    /// Where it leads; nil: nowhere.
    var target: Target? {
        guard let name = parsed.targetName else { return nil }
        switch parsed.rule?.target {
        case .jump(let chain), .goTo(let chain): return .chain(chain.text)
        default: return parsed.isGoto || parsed.leadsToChain ? .chain(name) : .module(name)
        }
    }

    /// Whether every packet fits it.
    var isUnconditional: Bool {
        let parsed = parsed
        return parsed.unknown.isEmpty && parsed.source == nil && parsed.destination == nil && parsed.inInterface == nil
            && parsed.outInterface == nil && parsed.transport == nil
    }

    /// Whether some packet may fit both rules, by what is understood of them.
    func mayMeet(_ other: FoundRule) -> Bool { parsed.mayMeet(other.parsed) }
}
