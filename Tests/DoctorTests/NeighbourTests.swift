// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Glibc
import Netlink
import Rules
import Testing

@testable import Doctor

/// Rules that well-known programs put down, and which checks speak of them beside a service of mark 21 and one of 80.
private struct Neighbour: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let checks: [String]
    let change: @Sendable (inout Facts) throws -> Void
}

private let neighbours = [
    Neighbour(testDescription: "Docker", checks: []) {
        $0.put(
            .nat,
            [
                .prerouting: [try rule(.jump(chain("DOCKER")), when: .addressType(AddressTypeMatch(destination: 1 << 2)))],
                .postrouting: [try rule(.masquerade(TranslationOptions()), from: "172.17.0.0/16")],
            ],
            chains: ["DOCKER": [try rule(.other(other("DNAT")), .tcp, port: 8080...8080)]])
        $0.put(
            .filter,
            [
                .forward: [
                    try rule(.jump(chain("DOCKER-USER"))),
                    try rule(.accept, out: "docker0", when: established),
                    try rule(.accept, by: "docker0"),
                ]
            ],
            chains: ["DOCKER-USER": [try rule(.returnToCaller)]])
    },
    // Docker's policy is the one that kills NAT directors most often.
    Neighbour(testDescription: "Docker with its policy", checks: ["filter-rules"]) {
        $0.put(.filter, [.forward: [try rule(.accept, by: "docker0")]], dropping: [.forward])
    },
    Neighbour(testDescription: "a mesh VPN", checks: []) { try $0.putMeshVPN() },
    Neighbour(testDescription: "a mesh VPN, and a mark with its bits", checks: ["foreign-marks"]) {
        try $0.markWeb(0x40050)
        try $0.putMeshVPN(isTranslating: false)
    },
    Neighbour(testDescription: "kube-proxy", checks: []) { try $0.putKubeProxy() },
    Neighbour(testDescription: "shorewall", checks: []) {
        $0.put(
            .filter,
            [
                .input: [try rule(.jump(chain("net-fw")), by: "eth0"), try rule(.accept, by: "lo")],
                .forward: [try rule(.jump(chain("loc-net")), out: "eth0"), try rule(.jump(chain("net-loc")), by: "eth0")],
            ], dropping: [.input, .forward],
            chains: [
                "net-fw": [
                    try rule(.accept, when: established), try rule(.accept, .tcp, port: 21...21),
                    try rule(.accept, .tcp, port: 10000...20000), try rule(.accept, .tcp, port: 80...443), try rule(.drop),
                ],
                "loc-net": [try rule(.accept)], "net-loc": [try rule(.accept, when: established), try rule(.drop)],
            ])
        // Provider marks, with masks, on packets of other networks.
        $0.put(
            .mangle, [.prerouting: [try rule(.jump(chain("routemark")), by: "eth1", when: bearing(0, 0xff))]],
            chains: ["routemark": [try rule(.mark(MarkOperation(value: 1, mask: 0xff)), by: "eth1")]])
        $0.configuration.ftp[0].active?.to = .address(Address(ipv4: 0xcb00_710a))
        $0.configuration.services[0].inInterfaces = Selection([try InterfacePattern(parsing: "eth0")])
        $0.configuration.ftp = []
        $0.ipvs = .services(Array(healthyServices.dropFirst()))
    },
    Neighbour(testDescription: "ufw, without a rule for the service", checks: ["filter-rules"]) {
        $0.put(
            .filter, [.input: [try rule(.jump(chain("ufw-before-input"))), try rule(.jump(chain("ufw-user-input")))]],
            dropping: [.input],
            chains: [
                "ufw-before-input": [
                    try rule(.accept, by: "lo"), try rule(.accept, when: established),
                    try rule(.drop, when: .connectionState([.invalid], isInverted: false)),
                ], "ufw-user-input": [try rule(.accept, .tcp, port: 22...22)],
            ])
    },
    Neighbour(testDescription: "ufw, with rules for the services", checks: []) {
        $0.put(
            .filter, [.input: [try rule(.jump(chain("ufw-user-input")))]], dropping: [.input],
            chains: [
                "ufw-user-input": [
                    try rule(.accept, .tcp, port: 21...21), try rule(.accept, .tcp, port: 80...80),
                    try rule(.accept, .tcp, port: 443...443), try rule(.accept, .tcp, port: 10000...20000),
                ]
            ])
    },
    Neighbour(testDescription: "firewalld in nf_tables, without a rule for the service", checks: ["filter-rules"]) {
        $0.putNft(
            "inet firewalld", .input,
            [
                try rule(.accept, when: established), try rule(.accept, by: "lo"), try rule(.accept, .tcp, port: 22...22),
                try rule(.other(other("REJECT"))),
            ], priority: 10)
    },
    Neighbour(testDescription: "several uplinks with masked marks", checks: []) {
        let save = ConnectionMarkOperation.save(connectionMask: 0x3f00, packetMask: 0x3f00)
        let restore = ConnectionMarkOperation.restore(connectionMask: 0x3f00, packetMask: 0x3f00)
        $0.put(
            .mangle,
            [
                .prerouting: [
                    try rule(.connectionMark(restore), when: bearing(0, 0x3f00)),
                    try rule(.mark(MarkOperation(value: 0x100, mask: 0x3f00)), by: "eth7", when: bearing(0, 0x3f00)),
                    try rule(.connectionMark(save)),
                ]
            ], first: true)
        $0.routing = .known(
            RoutingState(
                rules: [MarkRoutingRule(family: .ipv4, priority: 2001, mark: 0x100, mask: 0x3f00, table: 1)],
                defaults: healthyRouting.defaults, addresses: healthyRouting.addresses))
    },
]

extension Facts {
    /// What a mesh VPN of Tailscale's kind has, its masks as documented.
    fileprivate mutating func putMeshVPN(isTranslating: Bool = true) throws {
        let restore = ConnectionMarkOperation.restore(connectionMask: 0xff0000, packetMask: 0xff0000)
        let save = ConnectionMarkOperation.save(connectionMask: 0xff0000, packetMask: 0xff0000)
        put(
            .mangle,
            [
                .prerouting: [try rule(.connectionMark(restore), when: established)],
                .output: [try rule(.connectionMark(save), when: bearing(0, 0xff0000, isInverted: true))],
            ])
        put(
            .filter, [.forward: [try rule(.jump(chain("ts-forward")))]],
            chains: [
                "ts-forward": [
                    try rule(.mark(MarkOperation(value: 0x40000, mask: 0xff0000)), by: "tailscale0"),
                    try rule(.accept, when: bearing(0x40000, 0xff0000)),
                ]
            ])
        if isTranslating {
            put(
                .nat, [.postrouting: [try rule(.jump(chain("ts-postrouting")))]],
                chains: ["ts-postrouting": [try rule(.masquerade(TranslationOptions()), when: bearing(0x40000, 0xff0000))]])
        }
        routing = .known(
            RoutingState(
                rules: [MarkRoutingRule(family: .ipv4, priority: 5210, mark: 0x80000, mask: 0xff0000, table: 254)],
                defaults: healthyRouting.defaults, addresses: healthyRouting.addresses))
    }
}

@Suite("The doctor beside other programs")
struct NeighbourTests {
    @Test("The right checks speak and no other", arguments: neighbours)
    fileprivate func each(_ neighbour: Neighbour) throws {
        var facts = try healthy()
        try neighbour.change(&facts)
        let findings = Examination(of: facts).findings
        #expect(Set(findings.map(\.check)) == Set(neighbour.checks), "\(findings.map(\.seen))")
    }

    @Test("10,000 foreign rules and 1,000 services take under a second")
    func costs() throws {
        var facts = try healthy()
        let services = (0..<1000).map { number in
            "  - {name: s\(number), mark: \(1000 + number), addresses: [198.18.\(number / 250).\(number % 250 + 1)], tcp: [80, 443]}"
        }
        facts.configuration = try configuration("services:\n" + services.joined(separator: "\n"))
        var rules: [Rule] = []
        for number in 0..<10_000 {
            let address = "198.18.\(number / 250 % 200).\(number % 250 + 1)"
            rules.append(
                number % 3 == 0
                    ? try rule(.mark(MarkOperation(value: 1, mask: 0x1)), to: address, .udp, port: 53...53)
                    : number % 3 == 1
                        ? try rule(.drop, to: address, .tcp, port: 8080...8080)
                        : try rule(.accept, from: address, when: bearing(0x8000, 0x8000)))
        }
        facts.put(.mangle, [.prerouting: rules])
        facts.put(.filter, [.input: rules])
        // Processor time of this thread: other work on the machine does not count.
        func used() -> Duration {
            var time = timespec()
            clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
            return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
        }
        let start = used()
        _ = Examination(of: facts)
        let time = used() - start
        // Without optimisation everything takes many times as long.
        #if DEBUG
            #expect(time < .seconds(10))
        #else
            #expect(time < .seconds(1))
        #endif
        print("the doctor beside 20,000 foreign rules, 1,000 services: \(time)")
    }
}
