// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Netlink
import Rules

@testable import Doctor

let ipvsCases: [Case] = [
    .problem("ipvs-absent", "a kernel without IPVS", "this kernel has no IPVS") { $0.ipvs = .absent },
    .silent("ipvs-absent", "a kernel without IPVS where nothing is marked") {
        $0.ipvs = .absent
        $0.configuration = try configuration("masquerade: [{name: out, sources: [10.0.0.0/8]}]")
    },

    .problem("ipvs-service", "no virtual service on a mark", "IPVS has no virtual service on mark 21 for IPv4, which ftp sets.") {
        $0.ipvs = .services(Array(healthyServices.dropFirst()))
    },
    .problem("ipvs-service", "IPv6 forgotten", "IPVS has no virtual service on mark 80 for IPv6, which web sets.") {
        $0.ipvs = .services(Array(healthyServices.dropLast()))
    },
    .silent("ipvs-service", "IPv6 forgotten where the file has none") {
        $0.ipvs = .services(Array(healthyServices.dropLast()))
        $0.configuration.services[0].addresses.included.removeLast()
    },
    .silent("ipvs-service", "a service without addresses, in one family") {
        $0.configuration = try configuration("services: [{name: web, mark: 80, addresses: [\"!203.0.113.40\"], tcp: [80, 443]}]")
        $0.ipvs = .services([healthyServices[1]])
    },
    .silent("ipvs-service", "IPv6 alone") {
        $0.ipvs = .services([healthyServices[2]])
        $0.configuration.ftp.removeAll()
        $0.configuration.services[0].addresses.included.removeFirst()
        $0.settings["net.ipv4.ip_forward"] = "0"
    },

    .problem("ipvs-persistence", "FTP without persistence", "the virtual service on mark 21 for IPv4 (ftp) is not persistent.") {
        $0.change(21) { $0.persistence = nil }
    },
    .warning("ipvs-persistence", "IPv6 without persistence", "the virtual service on mark 80 for IPv6 (web) is not persistent.") {
        $0.change(80, .ipv6) { $0.persistence = nil }
    },
    .silent("ipvs-persistence", "a scheduler that keeps clients") {
        $0.change(80, .ipv6) { ($0.persistence, $0.scheduler) = (nil, "sh") }
    },
    .silent("ipvs-persistence", "one port without persistence") {
        $0.change(80, .ipv4) { $0.persistence = nil }
        $0.change(80, .ipv6) { $0.persistence = nil }
        $0.configuration.services[0].traffic.tcp = [PortRange(443)]
    },

    .warning(
        "ipvs-orphan", "a virtual service on a mark that nobody sets",
        "IPVS has a virtual service on mark 22 for IPv4, and no rule sets that mark."
    ) { $0.ipvs = .services(healthyServices + [VirtualService(.ipv4, .mark(22))]) },
    .silent("ipvs-orphan", "a mark that another program sets") {
        $0.ipvs = .services(healthyServices + [VirtualService(.ipv4, .mark(22))])
        $0.put(
            .mangle, [.prerouting: [try rule(.mark(MarkOperation(value: 22, mask: .max)), from: "192.0.2.0/24", to: "192.0.2.1")]])
    },
    .silent("ipvs-orphan", "a mark that may come from a connection") {
        $0.ipvs = .services(healthyServices + [VirtualService(.ipv4, .mark(22))])
        $0.put(
            .mangle,
            [.prerouting: [try rule(.connectionMark(.restore(connectionMask: .max, packetMask: .max)), to: "192.0.2.1")]])
    },

    .problem("ipvs-real-servers", "no real servers", "the virtual service on mark 80 for IPv6 (web) has no real servers.") {
        $0.change(80, .ipv6) { $0.realServers = [] }
    },
    .problem(
        "ipvs-real-servers", "all weights 0", "all real servers of the virtual service on mark 21 for IPv4 (ftp) have weight 0."
    ) { $0.change(21) { for index in $0.realServers.indices { $0.realServers[index].weight = 0 } } },
    .silent("ipvs-real-servers", "one weight above 0") {
        $0.settings["net.ipv4.vs.expire_quiescent_template"] = "1"
        $0.change(21) { $0.realServers[0].weight = 0 }
    },

    .warning(
        "ipvs-quiescent", "a weight of 0 with persistence",
        "net.ipv4.vs.expire_quiescent_template is 0, and the real server 10.11.12.2 of mark 21 (ftp) has weight 0."
    ) { $0.change(21) { $0.realServers[0].weight = 0 } },
    .silent("ipvs-quiescent", "a weight of 0 without persistence") {
        $0.change(80) { ($0.realServers[0].weight, $0.persistence, $0.scheduler) = (0, nil, "mh") }
    },

    .problem(
        "ipvs-forwarding", "another method", "ftp has forwarding: nat, and IPVS sends packets to 10.11.12.3 by direct."
    ) { $0.change(21) { $0.realServers[1].forwarding = .direct } },
    .silent("ipvs-forwarding", "the director is a real server") { $0.change(21) { $0.realServers[1].forwarding = .local } },

    .problem(
        "ipvs-one-packet", "packet by packet with NAT", "the virtual service on mark 80 (web) schedules packet by packet (-o)"
    ) { $0.change(80) { $0.isOnePacket = true } },
    .silent("ipvs-one-packet", "packet by packet with a masquerade to the VIP") {
        $0.change(80) { $0.isOnePacket = true }
        $0.configuration = try configuration(
            healthyConfiguration + "\nmasquerade: [{name: answers, sources: [10.11.12.0/24], to: 203.0.113.20}]\n")
        $0.configuration.ftp = []
        $0.ipvs = .services(
            healthyServices.dropFirst().map { service in
                var service = service
                service.isOnePacket = service.family == .ipv4
                return service
            })
    },

    .problem(
        "ipvs-conntrack", "a masquerade of a service",
        "net.ipv4.vs.conntrack is 0, and the masquerade arm translates packets of web."
    ) {
        $0.configuration = try configuration(healthyConfiguration + "\nmasquerade: [{name: arm, services: [web]}]\n")
    },
    .problem(
        "ipvs-conntrack", "real servers as clients of the VIP",
        "net.ipv4.vs.conntrack is 0, and the masquerade hairpin translates real servers' own connections to the virtual address."
    ) {
        $0.configuration = try configuration(
            healthyConfiguration
                + "\nmasquerade: [{name: hairpin, sources: [10.11.12.0/24], destinations: [10.11.12.0/24], to: 203.0.113.10}]\n")
    },
    .warning(
        "ipvs-conntrack", "a translation of clients' connections",
        "net.ipv4.vs.conntrack is 0, and the masquerade full-nat translates clients' connections to real servers."
    ) {
        $0.configuration = try configuration(
            healthyConfiguration + "\nmasquerade: [{name: full-nat, sources: [0.0.0.0/0], destinations: [10.11.12.0/24]}]\n")
    },
    .warning(
        "ipvs-conntrack", "a foreign nat rule for IPVS", "net.ipv4.vs.conntrack is 0, and `iptables-legacy -t nat -A POSTROUTING"
    ) {
        $0.put(.nat, [.postrouting: [try rule(.masquerade(TranslationOptions()), out: "eth9", when: .other(other("ipvs")))]])
    },
    .silent("ipvs-conntrack", "the like with conntrack") {
        $0.settings["net.ipv4.vs.conntrack"] = "1"
        $0.configuration = try configuration(healthyConfiguration + "\nmasquerade: [{name: arm, services: [web]}]\n")
    },
    .silent("ipvs-conntrack", "real servers' own way out") {
        $0.configuration = try configuration(healthyConfiguration + "\nmasquerade: [{name: out, sources: [10.11.12.0/24]}]\n")
    },

    .problem(
        "virtual-address", "no helper module", "the module nf_conntrack_ftp is not loaded, and ftp has active: to: virtual-address."
    ) {
        $0.configuration.ftp[0].active?.to = .virtualAddress
        $0.settings["net.ipv4.vs.conntrack"] = "1"
    },
    .problem("virtual-address", "no tracking", "net.ipv4.vs.conntrack is 0, and ftp has active: to: virtual-address.") {
        $0.configuration.ftp[0].active?.to = .virtualAddress
        $0.modules.insert("nf_conntrack_ftp")
    },
    .silent("virtual-address", "both") {
        $0.configuration.ftp[0].active?.to = .virtualAddress
        $0.settings["net.ipv4.vs.conntrack"] = "1"
        $0.modules.insert("nf_conntrack_ftp")
    },
]
