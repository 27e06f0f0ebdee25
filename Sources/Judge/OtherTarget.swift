// SPDX-License-Identifier: GPL-2.0-or-later
import Rules

/// What a target does of which only the name is known.
enum OtherTarget {
    /// Nothing to marks, addresses and verdicts; the packet goes on.
    case passing
    /// The packet ends.
    case ending
    /// A program outside of the kernel decides.
    case queueing
    /// The destination changes, and the table ends.
    case redirecting
    /// The source changes in a way that is not known, and the table ends.
    case translating
    /// The mark changes in a way that is not known.
    case marking
    /// The connection is not followed.
    case untracking
    /// Anything.
    case unknown

    /// - Parameter hook: where packets meet it.
    init(_ name: String, at hook: Hook) {
        switch name {
        case "LOG", "NFLOG", "ULOG", "TCPMSS", "TTL", "HL", "DSCP", "TOS", "ECN", "CLASSIFY", "CHECKSUM", "AUDIT", "TRACE",
            "RATEEST",
            "SET", "LED", "IDLETIMER", "TCPOPTSTRIP", "CONNSECMARK", "SECMARK", "TEE":
            self = .passing
        case "REJECT", "TARPIT": self = .ending
        case "NFQUEUE": self = .queueing
        case "DNAT", "REDIRECT": self = .redirecting
        // Before routing it maps destinations, after it sources (`net/netfilter/xt_NETMAP.c`).
        case "NETMAP" where hook == .prerouting || hook == .output: self = .redirecting
        case "NETMAP", "SNAT", "MASQUERADE": self = .translating
        case "HMARK", "MARK", "CONNMARK": self = .marking
        case "NOTRACK": self = .untracking
        default: self = .unknown
        }
    }

    /// - Returns: whether the table is passed or the way is over.
    func act(_ step: Judgement.Step, _ way: inout Way, _ table: Table) -> Bool {
        switch self {
        case .passing: return false
        case .ending:
            way.end(.drop, step)
            return true
        case .queueing:
            way.verdictDoubt = step
            way.end(.accept, step)
            return true
        case .redirecting:
            way.packet.destination = nil
            way.packet.destinationPort = nil
            way.packet.isDestinationTranslated = nil
            way.passTable()
            return true
        case .translating:
            way.translationDoubt = step
            way.translationStep = step
            way.passTable()
            return true
        case .marking:
            way.packet.mark = .unknown
            way.packet.connectionMark = .unknown
            way.markDoubt = step
            way.connectionDoubt = step
            way.markStep = step
            return false
        case .untracking:
            way.packet.state = .untracked
            return false
        case .unknown:
            way.doubtAll(step)
            way.end(.accept, step)
            return true
        }
    }
}
