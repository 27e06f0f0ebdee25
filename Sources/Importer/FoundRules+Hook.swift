package import Rules

/// A rule that is not ours and that packets meet behind a hook.
package struct MetRule: Sendable, Hashable {
    /// The rule.
    package let rule: FoundRule
    /// Whether it may keep packets from the rules behind it.
    package let mayEnd: Bool
    /// Whether it may change packets' marks.
    package let mayMark: Bool
    /// Whether packets meet it before the jump into our chain. False without such a jump.
    package let isBeforeOurs: Bool
}

extension FoundRules {
    /// The rules that are not ours and that packets meet behind the hook, in their order. A jump under conditions is one rule,
    /// which may do what the rules of its chain do.
    package func rulesMet(_ family: Family, _ table: Table, hook: ChainName) -> [MetRule] {
        let walk = HookWalk(chains(family, table.rawValue), hook: hook)
        return walk.items.enumerated().map { index, item in
            MetRule(
                rule: item.rule,
                mayEnd: item.effect.contains(.ends) || item.effect.contains(.returns) && item.path.isEmpty,
                mayMark: item.effect.contains(.marks), isBeforeOurs: index < walk.countBeforeOurs ?? 0)
        }
    }
}
