import ConfigurationFile
import Importer
import Netlink
import Rules
import Testing

@testable import Doctor

/// A director on which all is well.
let healthyConfiguration = """
    ftp:
      - name: ftp
        mark: 21
        addresses: [203.0.113.10]
        passive-ports: 10000-20000
        active:
          real-servers: [10.11.12.0/24]
          to: 203.0.113.10
    services:
      - name: web
        mark: 80
        addresses: [203.0.113.20, "2001:db8::20"]
        tcp: [80, 443]
    """

let healthyIPVS = """
    IP Virtual Server version 1.2.1 (size=4096)
    Prot LocalAddress:Port Scheduler Flags
      -> RemoteAddress:Port Forward Weight ActiveConn InActConn
    FWM  00000015 rr persistent 300 FFFFFFFF
      -> 0A0B0C02:0000      Masq    1      0          0
      -> 0A0B0C03:0000      Masq    1      0          0
    FWM  00000050 wlc persistent 60 FFFFFFFF
      -> [2001:0db8:0001:0000:0000:0000:0000:0002]:0000      Masq    1      0          0
    TCP  CB007116:0019 rr
      -> 0A0B0C02:0019      Masq    1      0          0
    """

let healthyRules = """
    *mangle
    :PREROUTING ACCEPT [0:0]
    :FWMARKD-MARK - [0:0]
    -A PREROUTING -m comment --comment fwmarkd -j FWMARKD-MARK
    -A FWMARKD-MARK -d 203.0.113.10/32 -p tcp -m multiport --dports 21,10000:20000 -m comment --comment ftp -j MARK --set-xmark 0x15/0xffffffff
    COMMIT
    *nat
    :POSTROUTING ACCEPT [0:0]
    :FWMARKD-NAT - [0:0]
    -A POSTROUTING -m comment --comment fwmarkd -j FWMARKD-NAT
    -A FWMARKD-NAT -s 10.11.12.0/24 -p tcp -m tcp --sport 20 -m comment --comment ftp -j SNAT --to-source 203.0.113.10
    COMMIT
    """

let healthyVsftpd = """
    # vsftpd behind the director
    listen=YES
    pasv_min_port=10000
    pasv_max_port=20000
    pasv_address=203.0.113.10
    connect_from_port_20=YES
    """

/// The addresses of a director whose VIP is not the primary one of its interface.
let healthyRouting = RoutingState(
    defaults: [
        DefaultRoute(
            family: .ipv4, table: 254, isLocal: false, interface: 2, gateway: Address(ipv4: 0xcb00_7101), metric: 0)
    ],
    addresses: [
        InterfaceAddress(interface: 1, name: "lo", address: Address(ipv4: 0x7f00_0001), prefixLength: 8, isGlobal: false),
        InterfaceAddress(interface: 2, name: "eth0", address: Address(ipv4: 0xcb00_7102), prefixLength: 24),
        InterfaceAddress(interface: 2, name: "eth0", address: Address(ipv4: 0xcb00_710a), prefixLength: 24, isSecondary: true),
    ])

func configuration(_ text: String) throws -> Configuration {
    try Configuration.load([ConfigurationText(path: "fwmarkd.yaml", bytes: Array(text.utf8))]).configuration
}

/// The facts of the director on which all is well.
func healthy() throws -> Facts {
    Facts(
        try configuration(healthyConfiguration), missing: [.ipv4: .known([]), .ipv6: .known([])],
        rules: .known(FoundRules(parsing: healthyRules)), ipvs: .services(VirtualService.all(in: healthyIPVS)),
        settings: ["net.ipv4.ip_forward": "1", "net.ipv6.conf.all.forwarding": "1", "net.ipv4.vs.conntrack": "0"],
        modules: ["ip_vs", "ip_vs_rr"], routing: .known(healthyRouting),
        vsftpd: VsftpdConfiguration(path: "/etc/vsftpd.conf", text: healthyVsftpd))
}

extension Facts {
    /// The same with more rules in front of the hook's others.
    mutating func putFirst(_ table: Table, _ lines: String) {
        let text = healthyRules.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        let place = (text.firstIndex(of: "*\(table)") ?? 0) + 2
        rules = .known(FoundRules(parsing: (text[..<place] + [lines] + text[place...]).joined(separator: "\n")))
    }

    /// The same with more rules behind.
    mutating func putLast(_ table: Table, _ lines: String) {
        rules = .known(FoundRules(parsing: healthyRules + "\n*\(table)\n\(lines)\nCOMMIT\n"))
    }
}
