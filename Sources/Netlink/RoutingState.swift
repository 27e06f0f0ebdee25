// SPDX-License-Identifier: GPL-2.0-or-later
import CNetlink
import Glibc
package import Rules
package import SystemCalls

/// A rule that sends packets with a mark to a routing table of their own (`ip rule add fwmark …`).
package struct MarkRoutingRule: Sendable, Hashable {
    /// The family of the packets.
    package let family: Family
    /// Its place; the lowest is asked first.
    package let priority: UInt32
    /// The mark that packets must have under the mask.
    package let mark: UInt32
    /// The mask.
    package let mask: UInt32
    /// Which routing table they are sent to; 0 for a rule with another action.
    package let table: UInt32

    /// A rule of these parts.
    package init(family: Family, priority: UInt32, mark: UInt32, mask: UInt32, table: UInt32) {
        (self.family, self.priority, self.mark, self.mask, self.table) = (family, priority, mark, mask, table)
    }

    /// Whether a packet with the mark is meant.
    package func matches(_ mark: UInt32) -> Bool { mark & mask == self.mark & mask }
}

/// A route for everything that no other route is for.
package struct DefaultRoute: Sendable, Hashable {
    /// The family of the packets.
    package let family: Family
    /// In which routing table; 254 is the main one.
    package let table: UInt32
    /// Whether it leads to the machine itself (`local default dev lo`).
    package let isLocal: Bool
    /// The number of the interface it leads out of; 0 if there are several or none.
    package let interface: UInt32
    /// The next machine on the way.
    package let gateway: Address?
    /// The lowest is taken.
    package let metric: UInt32

    /// A route of these parts.
    package init(family: Family, table: UInt32, isLocal: Bool, interface: UInt32, gateway: Address?, metric: UInt32) {
        (self.family, self.table, self.isLocal) = (family, table, isLocal)
        (self.interface, self.gateway, self.metric) = (interface, gateway, metric)
    }
}

/// An address of an interface.
package struct InterfaceAddress: Sendable, Hashable {
    /// The interface's number and name.
    package let interface: UInt32
    /// The interface's name as the address's label or the system has it.
    package let name: String
    /// The address.
    package let address: Address
    /// How many bits of it are the network's.
    package let prefixLength: Int
    /// Whether another address of the same network comes before it.
    package let isSecondary: Bool
    /// Whether it is usable everywhere, and not on the link or the machine alone.
    package let isGlobal: Bool

    /// An address of these parts.
    package init(
        interface: UInt32, name: String, address: Address, prefixLength: Int, isSecondary: Bool = false, isGlobal: Bool = true
    ) {
        (self.interface, self.name, self.address) = (interface, name, address)
        (self.prefixLength, self.isSecondary, self.isGlobal) = (prefixLength, isSecondary, isGlobal)
    }
}

/// What the kernel routes by, as far as marks and source addresses go.
package struct RoutingState: Sendable, Hashable {
    /// Rules that ask for marks.
    package var rules: [MarkRoutingRule]
    /// Default routes of all tables.
    package var defaults: [DefaultRoute]
    /// All addresses, in the kernel's order: those of an interface with the primary ones first.
    package var addresses: [InterfaceAddress]

    /// A state of these parts.
    package init(rules: [MarkRoutingRule] = [], defaults: [DefaultRoute] = [], addresses: [InterfaceAddress] = []) {
        (self.rules, self.defaults, self.addresses) = (rules, defaults, addresses)
    }

    /// Reads the state of the calling thread's network namespace.
    package static func read() throws(SystemError) -> RoutingState {
        let socket = try NetlinkSocket(NETLINK_ROUTE)
        var state = RoutingState()
        for family in Family.allCases {
            var head = rtmsg()
            head.rtm_family = UInt8(family == .ipv4 ? AF_INET : AF_INET6)
            let body = withUnsafeBytes(of: &head) { Array($0) }
            state.rules += try socket.dump(UInt16(RTM_GETRULE), body, "reading the routing rules")
                .compactMap { rule($0, family) }
            state.defaults += try socket.dump(UInt16(RTM_GETROUTE), body, "reading the routes").compactMap { route($0, family) }
        }
        var head = ifaddrmsg()
        let body = withUnsafeBytes(of: &head) { Array($0) }
        state.addresses = try socket.dump(UInt16(RTM_GETADDR), body, "reading the addresses").compactMap(address)
        return state
    }

    private static func rule(_ message: NetlinkMessage, _ family: Family) -> MarkRoutingRule? {
        guard let head = message.head(fib_rule_hdr.self), Int32(head.family) == (family == .ipv4 ? AF_INET : AF_INET6) else {
            return nil
        }
        let attributes = message.attributes(after: MemoryLayout<fib_rule_hdr>.size)
        guard let mark = attributes.number(FRA_FWMARK) else { return nil }
        let mask = attributes.number(FRA_FWMASK) ?? .max
        let isLookup = UInt32(head.action) == UInt32(FR_ACT_TO_TBL)
        return MarkRoutingRule(
            family: family, priority: attributes.number(FRA_PRIORITY) ?? 0, mark: mark, mask: mask,
            table: isLookup ? attributes.number(FRA_TABLE) ?? UInt32(head.table) : 0)
    }

    private static func route(_ message: NetlinkMessage, _ family: Family) -> DefaultRoute? {
        guard let head = message.head(rtmsg.self), head.rtm_dst_len == 0,
            Int32(head.rtm_family) == (family == .ipv4 ? AF_INET : AF_INET6)
        else { return nil }
        let attributes = message.attributes(after: MemoryLayout<rtmsg>.size)
        return DefaultRoute(
            family: family, table: attributes.number(Int(RTA_TABLE.rawValue)) ?? UInt32(head.rtm_table),
            isLocal: UInt32(head.rtm_type) == UInt32(RTN_LOCAL),
            interface: attributes.number(Int(RTA_OIF.rawValue)) ?? 0,
            gateway: attributes.bytes(Int(RTA_GATEWAY.rawValue)).flatMap { Address($0, family) },
            metric: attributes.number(Int(RTA_PRIORITY.rawValue)) ?? 0)
    }

    private static func address(_ message: NetlinkMessage) -> InterfaceAddress? {
        guard let head = message.head(ifaddrmsg.self) else { return nil }
        let family: Family
        switch Int32(head.ifa_family) {
        case AF_INET: family = .ipv4
        case AF_INET6: family = .ipv6
        default: return nil
        }
        let attributes = message.attributes(after: MemoryLayout<ifaddrmsg>.size)
        // On a point-to-point link IFA_ADDRESS is the other end's.
        guard let bytes = attributes.bytes(IFA_LOCAL) ?? attributes.bytes(IFA_ADDRESS),
            let value = Address(bytes, family)
        else { return nil }
        let flags = attributes.number(IFA_FLAGS) ?? UInt32(head.ifa_flags)
        return InterfaceAddress(
            interface: head.ifa_index, name: name(head.ifa_index) ?? "#\(head.ifa_index)", address: value,
            prefixLength: Int(head.ifa_prefixlen), isSecondary: flags & UInt32(IFA_F_SECONDARY) != 0,
            isGlobal: UInt32(head.ifa_scope) == UInt32(RT_SCOPE_UNIVERSE.rawValue))
    }

    private static func name(_ interface: UInt32) -> String? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(IFNAMSIZ)) { text in
            if_indextoname(interface, text.baseAddress).map { String(cString: $0) }
        }
    }

}

extension RoutingState {
    /// The address that MASQUERADE gives to what leaves by the default route: of the interface's primary addresses the first that
    /// shares the next machine's network, else the first that is usable everywhere (`inet_select_addr` of `net/ipv4/devinet.c`).
    package func masqueradeAddress(_ family: Family) -> InterfaceAddress? {
        let main = defaults.filter {
            $0.family == family && $0.table == UInt32(RT_TABLE_MAIN.rawValue) && !$0.isLocal && $0.interface != 0
        }
        guard let route = main.min(by: { $0.metric < $1.metric }) else { return nil }
        let own = addresses.filter {
            $0.interface == route.interface && $0.address.family == family && !$0.isSecondary && $0.isGlobal
        }
        let near = route.gateway.flatMap { gateway in
            own.first { Prefix(containing: $0.address, length: $0.prefixLength).contains(gateway) }
        }
        return near ?? own.first
    }
}
