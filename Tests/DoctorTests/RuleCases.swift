// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Netlink
import Rules

@testable import Doctor

let ruleCases: [Case] = [
    .warning(
        "foreign-marks", "another mark after ours",
        "`iptables-legacy -t mangle -A PREROUTING -i eth0 -j MARK --set-xmark 0x1/0xffffffff` changes the mark 21 of packets of ftp and 1 more."
    ) { $0.put(.mangle, [.prerouting: [try rule(.mark(MarkOperation(value: 1, mask: .max)), by: "eth0")]]) },
    .warning(
        "foreign-marks", "a mark restored from the connection, in INPUT",
        "`iptables-legacy -t mangle -A INPUT -d 203.0.113.10/32 -j CONNMARK --restore-mark"
    ) {
        $0.put(
            .mangle,
            [.input: [try rule(.connectionMark(.restore(connectionMask: .max, packetMask: .max)), to: "203.0.113.10")]])
    },
    .warning("foreign-marks", "bits outside our mask, which IPVS compares too", "`iptables-legacy -t mangle -A PREROUTING -j MARK")
    {
        $0.configuration = try configuration("services: [{name: web, mark: 0x50/0xff, addresses: [203.0.113.20], tcp: [80, 443]}]")
        $0.ipvs = .services([healthyServices[1]])
        $0.put(.mangle, [.prerouting: [try rule(.mark(MarkOperation(value: 0x100, mask: 0xff00)))]], first: true)
    },
    .warning(
        "foreign-marks", "a mark set by nft",
        "nft rule inet vpn chain handle 7 (-d 203.0.113.20/32 -j MARK --set-xmark 0x1/0x1) changes the mark 80"
    ) {
        $0.putNft("inet vpn", .prerouting, [try rule(.mark(MarkOperation(value: 1, mask: 1)), to: "203.0.113.20")], priority: -100)
    },
    .silent("foreign-marks", "a mark that ours overwrites") {
        $0.put(.mangle, [.prerouting: [try rule(.mark(MarkOperation(value: 0x100, mask: 0xff00)))]], first: true)
    },
    .silent("foreign-marks", "packets that are not ours") {
        $0.put(
            .mangle,
            [.prerouting: [try rule(.mark(MarkOperation(value: 1, mask: .max)), to: "203.0.113.10", .udp, port: 53...53)]])
    },
    .silent("foreign-marks", "a chain that is entered for other packets alone") {
        $0.put(
            .mangle, [.prerouting: [try rule(.jump(chain("OTHERS")), to: "198.51.100.0/24")]],
            chains: ["OTHERS": [try rule(.mark(MarkOperation(value: 1, mask: .max)))]])
    },

    .problem(
        "mark-readers", "a mark with the bit that kube-proxy drops by",
        "`iptables-legacy -A KUBE-FIREWALL -m mark --mark 0x8000/0x8000 -j DROP` drops packets with the bits 0x8000, which the mark 40000 of web has."
    ) {
        try $0.markWeb(40000)
        try $0.putKubeProxy()
    },
    .warning(
        "mark-readers", "a mark with the bit that kube-proxy translates by",
        "`iptables-legacy -t nat -A KUBE-POSTROUTING -j MASQUERADE` translates packets with the bits 0x4000, which the mark 16384 of web has."
    ) {
        try $0.markWeb(0x4000)
        try $0.putKubeProxy()
    },
    .silent("mark-readers", "kube-proxy and marks without its bits") { try $0.putKubeProxy() },

    .problem(
        "filter-rules", "policy DROP in INPUT",
        "the policy DROP of INPUT in iptables-legacy's table filter drops clients' connections to 203.0.113.10, tcp port 21 (ftp), and 3 more"
    ) { $0.put(.filter, [.input: [try rule(.accept, when: established)]], dropping: [.input]) },
    .problem(
        "filter-rules", "policy DROP in FORWARD",
        "the policy DROP of FORWARD in iptables-legacy's table filter drops answers of the real server 10.11.12.2, tcp port 21 (ftp)"
    ) { $0.put(.filter, [:], dropping: [.forward]) },
    .problem(
        "filter-rules", "a policy of nft",
        "the policy drop of the nf_tables chain inet fw chain drops clients' connections to 2001:db8::20"
    ) { $0.putNft("inet fw", .input, [], dropsAtEnd: true, family: .ipv6) },
    .problem(
        "filter-rules", "an nft rule",
        "nft rule inet fw chain handle 7 (-p tcp -m tcp --dport 1024:65535 -j REJECT) drops clients' connections to 203.0.113.10, tcp port 10000-20000"
    ) {
        $0.putNft("inet fw", .input, [try rule(.other(other("REJECT")), .tcp, port: 1024...65535)])
    },
    .problem(
        "filter-rules", "answers that connection tracking calls invalid",
        "`iptables-legacy -A FORWARD -m conntrack --ctstate INVALID -j DROP` drops answers"
    ) {
        $0.put(.filter, [.forward: [try rule(.drop, when: .connectionState([.invalid], isInverted: false))]])
    },
    .problem(
        "filter-rules", "firewalld, which lets in what is translated, and rejects the rest",
        "`iptables-legacy -A INPUT -j REJECT` drops clients' connections to 203.0.113.10, tcp port 21 (ftp), and 3 more"
    ) {
        $0.put(
            .filter,
            [
                .input: [
                    try rule(.accept, when: .connectionState([.related, .established, .destinationTranslated], isInverted: false)),
                    try rule(.accept, by: "lo"), try rule(.other(other("REJECT"))),
                ]
            ])
    },
    .silent("filter-rules", "the same with a translation of its own to the virtual address") {
        $0.put(
            .nat,
            [.prerouting: [try rule(.destinationNAT(DestinationRange(nil, options: TranslationOptions(ports: PortRange(1)))))]])
        $0.put(
            .filter,
            [
                .input: [
                    try rule(.accept, when: .connectionState([.destinationTranslated], isInverted: false)), try rule(.drop),
                ]
            ])
    },
    .silent("filter-rules", "the same with tracked connections") {
        $0.settings["net.ipv4.vs.conntrack"] = "1"
        $0.put(.filter, [.forward: [try rule(.drop, when: .connectionState([.invalid], isInverted: false))]])
    },
    .silent("filter-rules", "policies with rules that let the service in") {
        $0.put(
            .filter,
            [
                .input: [try rule(.accept, to: "203.0.113.0/27")],
                .forward: [try rule(.accept, from: "10.11.12.0/24"), try rule(.accept, to: "10.11.12.0/24")],
            ], dropping: [.input, .forward])
    },
    .silent("filter-rules", "what is dropped of some clients, or nobody can tell") {
        $0.put(
            .filter,
            [.input: [try rule(.drop, from: "192.0.2.0/24"), try rule(.drop, when: .other(other("set"))), try rule(.drop, .udp)]])
    },

    .warning(
        "rules-before-ours", "a rule before ours that lets packets pass",
        "`iptables-legacy -t mangle -A PREROUTING -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT` is before fwmarkd's jump"
    ) { $0.put(.mangle, [.prerouting: [try rule(.accept, when: established)]], first: true) },
    .warning(
        "rules-before-ours", "a chain before ours that masquerades",
        "`iptables-legacy -t nat -A OUT -s 10.0.0.0/8 -j MASQUERADE` is before fwmarkd's jump and may end the way of packets of ftp."
    ) {
        $0.put(
            .nat, [.postrouting: [try rule(.jump(chain("OUT")), out: "eth0")]], first: true,
            chains: ["OUT": [try rule(.masquerade(TranslationOptions()), from: "10.0.0.0/8")]])
    },
    .silent("rules-before-ours", "rules before ours for other packets, and such that end nothing") {
        $0.put(
            .mangle, [.prerouting: [try rule(.accept, to: "198.51.100.1"), try rule(.other(other("LOG"))), try rule(.drop, .udp)]],
            first: true)
    },
    .silent("rules-before-ours", "rules after ours") { $0.put(.mangle, [.prerouting: [try rule(.accept)]]) },

    .warning(
        "nft-translations", "a masquerade of nft",
        "nft rule inet fw chain handle 7 (-o eth0 -j MASQUERADE) may translate connections of ftp too."
    ) {
        $0.putNft("inet fw", .postrouting, [try rule(.masquerade(TranslationOptions()), out: "eth0")], priority: 100)
    },
    .silent("nft-translations", "translations of other sources, as Docker makes them") {
        $0.putNft("ip nat", .postrouting, [try rule(.masquerade(TranslationOptions()), from: "172.17.0.0/16")], priority: 100)
    },
]

extension Facts {
    /// What kube-proxy has: drops by the bit 0x8000, masquerades by 0x4000.
    mutating func putKubeProxy() throws {
        put(
            .filter, [.input: [try rule(.jump(chain("KUBE-FIREWALL")))], .output: [try rule(.jump(chain("KUBE-FIREWALL")))]],
            chains: ["KUBE-FIREWALL": [try rule(.drop, when: bearing(0x8000, 0x8000))]])
        put(
            .nat, [.postrouting: [try rule(.jump(chain("KUBE-POSTROUTING")))]],
            chains: [
                "KUBE-POSTROUTING": [
                    try rule(.returnToCaller, when: bearing(0x4000, 0x4000, isInverted: true)),
                    try rule(.mark(MarkOperation(value: 0x4000, mask: 0))),
                    try rule(.masquerade(TranslationOptions())),
                ]
            ])
    }

    /// Gives web another mark, in the file and in IPVS.
    mutating func markWeb(_ mark: UInt32) throws {
        configuration.services[0].mark = try Mark(mark)
        for family in Family.allCases { change(80, family) { $0.subject = .mark(mark) } }
    }
}
