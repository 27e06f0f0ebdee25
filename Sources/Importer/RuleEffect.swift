// SPDX-License-Identifier: GPL-2.0-or-later
import Rules

/// What a rule that stays can do to packets that it matches.
struct RuleEffect: OptionSet {
    let rawValue: Int
    /// Ends the table for the packet, which goes on.
    static let ends = RuleEffect(rawValue: 1)
    /// Changes the packet's mark.
    static let marks = RuleEffect(rawValue: 2)
    /// Does something that depends on the packet's mark.
    static let readsMark = RuleEffect(rawValue: 4)
    /// Changes the connection's mark, or does something that depends on it.
    static let touchesConnection = RuleEffect(rawValue: 8)

    /// Targets that neither end the table nor touch the mark.
    private static let harmless: Set<String> = [
        "AUDIT", "CHECKSUM", "CLASSIFY", "CONNSECMARK", "CT", "DSCP", "ECN", "HL", "IDLETIMER", "LED", "LOG", "NFLOG", "NOTRACK",
        "RATEEST", "SECMARK", "SET", "TCPMSS", "TCPOPTSTRIP", "TEE", "TOS", "TRACE", "TTL", "ULOG",
    ]

    /// The effect of a rule that packets meet.
    ///
    /// - Parameter isInHook: whether it is in the hook's own chain, where RETURN ends the table, and `-g` after its chain.
    static func of(_ rule: Rule, isInHook: Bool) -> RuleEffect {
        var effect: RuleEffect =
            switch rule.target {
            case .mark: .marks
            case .connectionMark(.restore): [.marks, .touchesConnection]
            case .connectionMark(.save): [.readsMark, .touchesConnection]
            case .connectionMark(.set): .touchesConnection
            // What is dropped is dropped with any mark.
            case .drop, .helper, .none, .jump: []
            case .returnToCaller, .goTo: isInHook ? .ends : []
            case .accept, .queue, .masquerade, .sourceNAT, .destinationNAT: .ends
            case .other(let other):
                harmless.contains(other.name) ? [] : other.name == "HMARK" ? .marks : [.ends, .marks, .touchesConnection]
            }
        let asksForMark = rule.match.conditions.contains { if case .mark = $0 { true } else { false } }
        if asksForMark, !effect.isEmpty || rule.target != .none { effect.insert(.readsMark) }
        let asksForConnection = rule.match.conditions.contains { if case .connectionMark = $0 { true } else { false } }
        if asksForConnection, !effect.isEmpty || rule.target != .none { effect.insert(.touchesConnection) }
        return effect
    }
}
