// SPDX-License-Identifier: GPL-2.0-or-later
/// What a rule does with a packet that matches.
package enum Target: Sendable, Hashable {
    /// Changes the packet's mark (`MARK`).
    case mark(MarkOperation)
    /// Changes the connection's mark, or the packet's by it (`CONNMARK`).
    case connectionMark(ConnectionMarkOperation)
    /// Source translation to an address of the outgoing interface (`MASQUERADE`).
    case masquerade(TranslationOptions)
    /// Source translation to one of some addresses (`SNAT`).
    indirect case sourceNAT(SourceRange)
    /// Destination translation (`DNAT`).
    indirect case destinationNAT(DestinationRange)
    /// Assigns a connection tracking helper (`CT --helper`).
    case helper(String)
    /// Goes through a chain and comes back.
    case jump(ChainName)
    /// Goes on in a chain, which returns to where this one would have (`-g`).
    case goTo(ChainName)
    /// Goes back to the rule after the jump that led here; in a built-in chain to its policy.
    case returnToCaller
    /// Ends the table for this packet; it passes.
    case accept
    /// Ends the packet.
    case drop
    /// Hands the packet to a program.
    case queue
    /// Nothing: the rule counts, and the next one is asked.
    case none
    /// Any other target, as the kernel has it.
    case other(ExtensionBytes)

    /// The chain that it leads to.
    package var chain: ChainName? {
        switch self {
        case .jump(let chain), .goTo(let chain): chain
        default: nil
        }
    }
}

/// A change of a mark: the bits of `mask` are cleared, then `value` is XORed (`MARK --set-xmark value/mask`,
/// `<linux/netfilter/xt_mark.h>`).
package struct MarkOperation: Sendable, Hashable {
    /// What is XORed.
    package let value: UInt32
    /// What is cleared before.
    package let mask: UInt32

    /// Clears the bits of `mask`, then XORs `value`.
    package init(value: UInt32, mask: UInt32) {
        (self.value, self.mask) = (value, mask)
    }

    /// Sets the bits of the mark's mask to its value.
    package init(_ mark: Mark) { self.init(value: mark.value, mask: mark.mask) }

    /// The mark after it.
    package func applied(to mark: UInt32) -> UInt32 { mark & ~mask ^ value }

    /// The same as a mark of a configuration, which only sets bits under its mask and is never zero; nil where it does something else.
    package var settingMark: Mark? { try? Mark(value, mask: mask) }
}

/// What `CONNMARK` does (`<linux/netfilter/xt_connmark.h>`).
package enum ConnectionMarkOperation: Sendable, Hashable {
    /// The connection's mark: bits of `mask` cleared, `value` XORed.
    case set(value: UInt32, mask: UInt32)
    /// The packet's mark is saved as the connection's: `connection = connection & ~connectionMask ^ packet & packetMask`.
    case save(connectionMask: UInt32, packetMask: UInt32)
    /// The connection's mark is restored to the packet: `packet = packet & ~packetMask ^ connection & connectionMask`.
    case restore(connectionMask: UInt32, packetMask: UInt32)
}

/// How a translation chooses ports (`NF_NAT_RANGE_*`, `<linux/netfilter/nf_nat.h>`).
package struct TranslationOptions: Sendable, Hashable {
    /// The source ports to use; nil: kept where it is free.
    package var ports: PortRange?
    /// `--random`.
    package var isRandom = false
    /// `--random-fully`.
    package var isFullyRandom = false
    /// `--persistent`.
    package var isPersistent = false

    /// The given ports, or the kernel's choice.
    package init(ports: PortRange? = nil, isRandom: Bool = false, isFullyRandom: Bool = false, isPersistent: Bool = false) {
        (self.ports, self.isRandom, self.isFullyRandom, self.isPersistent) = (ports, isRandom, isFullyRandom, isPersistent)
    }
}

/// The addresses that `SNAT` translates to.
package struct SourceRange: Sendable, Hashable {
    /// The first address.
    package let first: Address
    /// The last address, of the same family.
    package let last: Address
    /// How ports are chosen.
    package let options: TranslationOptions

    /// The addresses from `first` to `last`; without `last` the one.
    package init(_ first: Address, _ last: Address? = nil, options: TranslationOptions = TranslationOptions()) {
        self.first = first
        self.last = last ?? first
        self.options = options
    }
}

/// What `DNAT` makes of the destination.
package struct DestinationRange: Sendable, Hashable {
    /// The addresses of which it becomes one, both of one family; nil: the address stays.
    package let first, last: Address?
    /// Its ports, which are those of the destination, and how it is chosen among several.
    package let options: TranslationOptions

    /// One of the addresses from `first` to `last`; without `last` the one; without both any address as it is.
    package init(_ first: Address?, _ last: Address? = nil, options: TranslationOptions = TranslationOptions()) {
        self.first = first
        self.last = last ?? first
        self.options = options
    }
}
