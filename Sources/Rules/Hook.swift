// SPDX-License-Identifier: GPL-2.0-or-later
/// A place in a packet's way where tables are asked, in the order of `enum nf_inet_hooks` (`<linux/netfilter.h>`).
package enum Hook: String, Sendable, Hashable, Comparable, CaseIterable, Codable {
    /// Every packet that comes in, before routing.
    case prerouting
    /// Packets for this machine, after routing.
    case input
    /// Packets that are passed on.
    case forward
    /// Packets that this machine sends.
    case output
    /// Every packet that leaves, after routing.
    case postrouting

    /// The built-in chain of the hook: `PREROUTING`.
    package var chain: ChainName { ChainName(bytes: rawValue.uppercased().utf8) }

    /// The hook of a built-in chain's name; nil for any other chain.
    package init?(chain: ChainName) {
        guard let hook = Hook.allCases.first(where: { $0.chain == chain }) else { return nil }
        self = hook
    }

    /// In the kernel's order.
    package static func < (left: Hook, right: Hook) -> Bool { left.number < right.number }

    private var number: Int {
        switch self {
        case .prerouting: 0
        case .input: 1
        case .forward: 2
        case .output: 3
        case .postrouting: 4
        }
    }
}
