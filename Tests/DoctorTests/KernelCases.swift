// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Netlink
import Rules

@testable import Doctor

let kernelCases: [Case] = [
    .problem("legacy-tables", "no x_tables", "the kernel does not know legacy x_tables") {
        $0.missing[.ipv4] = .known(["the kernel does not know legacy x_tables"])
    },
    .silent("legacy-tables", "nothing is asked of a family without rules") { $0.missing[.ipv6] = nil },

    .problem("ip-forward", "no routing", "net.ipv4.ip_forward is 0.") { $0.settings["net.ipv4.ip_forward"] = "0" },
    .problem("ip-forward", "no IPv6 routing", "net.ipv6.conf.all.forwarding is 0.") {
        $0.settings["net.ipv6.conf.all.forwarding"] = "0"
    },
    .silent("ip-forward", "no IPv6 routing where nothing is IPv6") {
        $0.settings["net.ipv6.conf.all.forwarding"] = "0"
        $0.configuration.services.removeAll()
        $0.ipvs = .services([healthyServices[0]])
    },
    .silent("ip-forward", "no routing where real servers are reached directly") {
        $0.settings["net.ipv4.ip_forward"] = "0"
        $0.settings["net.ipv6.conf.all.forwarding"] = "0"
        $0.configuration.ftp[0].forwarding = .direct
        $0.configuration.ftp[0].active = .init(realServers: [])
        for family in Family.allCases {
            for mark: UInt32 in [21, 80] {
                $0.change(mark, family) { for index in $0.realServers.indices { $0.realServers[index].forwarding = .direct } }
            }
        }
        try $0.changeVsftpd("pasv_address", to: nil)
    },

    .warning(
        "conntrack-table", "a connection tracking table nearly full", "the connection tracking table has 240000 of at most 262144"
    ) {
        $0.settings["net.netfilter.nf_conntrack_count"] = "240000"
    },
    .silent("conntrack-table", "half of it") { $0.settings["net.netfilter.nf_conntrack_count"] = "131072" },
    .silent("conntrack-table", "numbers that are none") {
        $0.settings["net.netfilter.nf_conntrack_count"] = "-1"
        $0.settings["net.netfilter.nf_conntrack_max"] = "99999999999999999999"
    },

    .problem(
        "vip-not-local", "src_valid_mark without the VIP",
        "net.ipv4.conf.all.src_valid_mark is 1, and the virtual address of ftp is not on this machine."
    ) {
        $0.settings["net.ipv4.conf.all.src_valid_mark"] = "1"
        try $0.takeVIPAway()
    },
    .silent("vip-not-local", "src_valid_mark with the VIP, as a mesh VPN sets it") {
        $0.settings["net.ipv4.conf.all.src_valid_mark"] = "1"
    },
    .silent("vip-not-local", "a director without its VIP") { try $0.takeVIPAway() },
    .warning("vip-not-local", "UDP ports without connection tracking", "nothing puts fragments of dns together") {
        $0.configuration = try configuration("services: [{name: dns, mark: 21, addresses: [203.0.113.10], udp: [53, 54]}]")
        try $0.takeVIPAway()
    },
    .silent("vip-not-local", "UDP whole without connection tracking") {
        $0.configuration = try configuration("services: [{name: dns, mark: 21, addresses: [203.0.113.10], udp: any}]")
        try $0.takeVIPAway()
    },

    .warning(
        "routing-rules", "a routing rule for our mark",
        "the routing rule 100 asks for fwmark 0x15, which packets of ftp have, and sends them to the routing table 100."
    ) {
        $0.routing = .known(
            RoutingState(
                rules: [MarkRoutingRule(family: .ipv4, priority: 100, mark: 21, mask: .max, table: 100)],
                defaults: healthyRouting.defaults, addresses: healthyRouting.addresses))
    },
    .silent("routing-rules", "a routing rule for another mark") {
        $0.routing = .known(
            RoutingState(
                rules: [MarkRoutingRule(family: .ipv4, priority: 100, mark: 0x4000, mask: 0x4000, table: 100)],
                defaults: healthyRouting.defaults, addresses: healthyRouting.addresses))
    },

    .warning(
        "masquerade-address", "active data from another address than the VIP",
        "active FTP of ftp leaves by eth0 with the source 203.0.113.2, while clients have called 203.0.113.10/32."
    ) { $0.configuration.ftp[0].active?.to = .masquerade },
    .silent("masquerade-address", "the VIP is the primary address") {
        $0.configuration.ftp[0].active?.to = .masquerade
        var routing = healthyRouting
        routing.addresses = [
            InterfaceAddress(interface: 2, name: "eth0", address: Address(ipv4: 0xcb00_710a), prefixLength: 24)
        ]
        $0.routing = .known(routing)
    },
]

extension Facts {
    /// The VIP of ftp is not on the machine; marked packets are made local by policy routing.
    fileprivate mutating func takeVIPAway() throws {
        var routing = healthyRouting
        routing.addresses.removeAll { $0.address == Address(ipv4: 0xcb00_710a) }
        routing.rules = [MarkRoutingRule(family: .ipv4, priority: 100, mark: 21, mask: .max, table: 100)]
        routing.defaults.append(
            DefaultRoute(family: .ipv4, table: 100, isLocal: true, interface: 1, gateway: nil, metric: 0))
        self.routing = .known(routing)
        guard case .services(let services) = ipvs, configuration.ftp.isEmpty else { return }
        ipvs = .services(services.filter { $0.mark == 21 })
    }
}
