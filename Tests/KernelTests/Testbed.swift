// SPDX-License-Identifier: GPL-2.0-or-later
import NamespaceSupport
import Rules

/// A client, a director and a real server, each a network namespace, joined by veth:
///
///     client eth0 ── outside  director  inside ── eth0 server
///     198.51.100.2   198.51.100.1       10.11.12.1   10.11.12.2
///
/// In the place of IPVS is a route: the director sends what bears mark 21 to the real server, which has the virtual address
/// on lo. What bears no mark stays on the director, which has the virtual address as well, and refuses it.
/// The client throws away what it would send to the real servers' network, so that nothing works that was not translated.
struct Testbed {
    let client: NetworkNamespace
    let director: NetworkNamespace
    let server: NetworkNamespace

    /// The addresses of one family.
    struct Addresses {
        let virtual: Address
        /// One that no service has.
        let other: Address
        let client: Address
        /// The director's primary address on the client's side.
        let outside: Address
        /// Another address of the director there.
        let secondary: Address
        let server: Address
    }

    static func addresses(_ family: Family) throws -> Addresses {
        func address(_ four: String, _ six: String) throws -> Address { try Address(parsing: family == .ipv4 ? four : six) }
        return Addresses(
            virtual: try address("203.0.113.10", "2001:db8::10"), other: try address("203.0.113.11", "2001:db8::11"),
            client: try address("198.51.100.2", "2001:db8:100::2"), outside: try address("198.51.100.1", "2001:db8:100::1"),
            secondary: try address("198.51.100.77", "2001:db8:100::77"),
            server: try address("10.11.12.2", "2001:db8:11::2"))
    }

    /// Makes the three namespaces, runs `body`, and takes them away again.
    static func run(_ body: @escaping @Sendable (Testbed) async throws -> Void) async throws {
        try await NetworkNamespace.beside { client in
            try await NetworkNamespace.beside { director in
                try await NetworkNamespace.beside { server in
                    let bed = Testbed(client: client, director: director, server: server)
                    try await bed.build()
                    try await body(bed)
                }
            }
        }
    }

    /// The director: a route by mark to the real server, and the virtual addresses on lo.
    private var directorNetwork: String {
        """
        ip link set lo up
        ip link add outside type veth peer name eth0 netns \(client.path)
        ip link add inside type veth peer name eth0 netns \(server.path)
        ip addr add 198.51.100.1/24 dev outside
        ip addr add 198.51.100.77/24 dev outside
        ip addr add 2001:db8:100::1/64 dev outside nodad
        ip addr add 2001:db8:100::77/64 dev outside nodad preferred_lft 0
        ip addr add 10.11.12.1/24 dev inside
        ip addr add 2001:db8:11::1/64 dev inside nodad
        ip link set outside up
        ip link set inside up
        sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
        sysctl -qw net.ipv4.conf.inside.accept_local=1 net.ipv4.conf.inside.rp_filter=0 net.ipv4.conf.all.rp_filter=0
        ip addr add 203.0.113.10/32 dev lo
        ip addr add 203.0.113.11/32 dev lo
        ip addr add 2001:db8::10/128 dev lo nodad
        ip addr add 2001:db8::11/128 dev lo nodad
        ip rule add pref 10 fwmark 21 lookup 21
        ip rule add pref 20 lookup local
        ip rule del pref 0
        ip -6 rule add pref 10 fwmark 21 lookup 21
        ip -6 rule add pref 20 lookup local
        ip -6 rule del pref 0
        ip route add default via 10.11.12.2 table 21
        ip -6 route add default via 2001:db8:11::2 table 21
        """
    }

    /// The real server, which has the virtual addresses on lo.
    private var serverNetwork: String {
        """
        ip link set lo up
        ip link set eth0 up
        ip addr add 10.11.12.2/24 dev eth0
        ip addr add 203.0.113.10/32 dev lo
        ip addr add 203.0.113.11/32 dev lo
        ip addr add 2001:db8:11::2/64 dev eth0 nodad
        ip addr add 2001:db8::10/128 dev lo nodad
        ip addr add 2001:db8::11/128 dev lo nodad
        ip route add default via 10.11.12.1
        ip -6 route add default via 2001:db8:11::1
        """
    }

    /// The client, which throws away what it would send to the real servers.
    private var clientNetwork: String {
        """
        ip link set lo up
        ip link set eth0 up
        ip addr add 198.51.100.2/24 dev eth0
        ip addr add 2001:db8:100::2/64 dev eth0 nodad
        ip route add default via 198.51.100.1
        ip -6 route add default via 2001:db8:100::1
        ip route add blackhole 10.11.12.0/24
        ip -6 route add blackhole 2001:db8:11::/64
        """
    }

    private func build() async throws {
        let director = director
        // Else an interface is no use for IPv6 for a second or two, while it looks for others with its address.
        for namespace in [client, director, server] {
            try await namespace.enter { try namespace.run("sysctl", "-qw", "net.ipv6.conf.default.dad_transmits=0") }
        }
        for (namespace, lines) in [(director, directorNetwork), (server, serverNetwork), (client, clientNetwork)] {
            try await namespace.enter { try namespace.run(lines: lines) }
        }
        // The first packets between neighbours wait for their link addresses, and may get lost over that.
        for family in Family.allCases {
            let addresses = try Testbed.addresses(family)
            for address in [addresses.client, addresses.server] {
                let isThere = try await director.enter { try connects(to: address, 1) }
                guard !isThere else { throw Failure("\(address) listens on port 1") }
            }
        }
    }
}
