// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile

/// A dump, and the entries that are made of it.
struct ImportCase {
    let name: String
    let dump: String
    /// What `import` prints between its first comment and its remarks.
    let entries: String
    /// How many rules stay.
    var leftover = 0

    /// Rules of mangle PREROUTING.
    static func marks(_ name: String, _ rules: [String], _ entries: String, leftover: Int = 0) -> ImportCase {
        let lines = rules.map { $0.hasPrefix(":") || $0.hasPrefix("-A ") ? $0 : "-A PREROUTING \($0)" }
        return ImportCase(
            name: name, dump: "*mangle\n:PREROUTING ACCEPT [0:0]\n" + lines.joined(separator: "\n") + "\nCOMMIT\n",
            entries: entries,
            leftover: leftover)
    }

    /// Rules of nat POSTROUTING.
    static func translations(_ name: String, _ rules: [String], _ entries: String, leftover: Int = 0) -> ImportCase {
        let lines = rules.map { $0.hasPrefix(":") || $0.hasPrefix("-A ") ? $0 : "-A POSTROUTING \($0)" }
        return ImportCase(
            name: name, dump: "*nat\n:POSTROUTING ACCEPT [0:0]\n" + lines.joined(separator: "\n") + "\nCOMMIT\n", entries: entries,
            leftover: leftover)
    }

    private static let web = "-d 203.0.113.10/32 -p tcp -m tcp --dport 80"
    private static let mark80 = "-j MARK --set-xmark 0x50/0xffffffff"
    private static let webService = "services:\n  - name: web\n    mark: 80\n    addresses: [203.0.113.10]\n    tcp: [80]\n"

    static let all: [ImportCase] = [
        ImportCase(
            name: "The three rules of FTP are one entry",
            dump: """
                *mangle
                :PREROUTING ACCEPT [0:0]
                -A PREROUTING -d 203.0.113.10/32 -p tcp -m tcp --dport 21 -j MARK --set-xmark 0x15/0xffffffff
                -A PREROUTING -d 203.0.113.10/32 -p tcp -m tcp --dport 10000:20000 -j MARK --set-xmark 0x15/0xffffffff
                COMMIT
                *nat
                :POSTROUTING ACCEPT [10:600]
                [12:720] -A POSTROUTING -s 10.11.12.0/24 -p tcp -m tcp --sport 20 -j MASQUERADE
                COMMIT
                """,
            entries: """
                ftp:
                  - name: ftp
                    mark: 21
                    addresses: [203.0.113.10]
                    passive-ports: 10000-20000
                    active:
                      real-servers: [10.11.12.0/24]

                """),
        marks(
            "Rules that differ in ports or addresses alone are one service",
            [
                "\(web) \(mark80)", "-d 203.0.113.10/32 -p tcp -m tcp --dport 443 \(mark80)",
                "-d 203.0.113.11/32 -p tcp -m multiport --dports 80,443 \(mark80)",
            ],
            "services:\n  - name: web\n    mark: 80\n    addresses: [203.0.113.10, 203.0.113.11]\n    tcp: [80, 443]\n"),
        marks(
            "A RETURN before a range is a hole in it",
            [
                "-d 203.0.113.30/32 -p udp -m udp --dport 51820 -j RETURN",
                "-d 203.0.113.30/32 -p udp -m udp --dport 50000:60000 -j MARK --set-xmark 0x1/0xffffffff",
            ],
            "services:\n  - name: mark-1\n    mark: 1\n    addresses: [203.0.113.30]\n    udp: [50000-51819, 51821-60000]\n",
            leftover: 1),
        marks(
            "Whole protocols have no port match",
            ["-d 203.0.113.61/32 -p udp -j MARK --set-xmark 0x1dd/0xffffffff", "-d 203.0.113.61/32 -p esp -j MARK --set-mark 477"],
            "services:\n  - name: mark-477\n    mark: 477\n    addresses: [203.0.113.61]\n    udp: any\n    protocols: [esp]\n"),
        marks(
            "A rule without a protocol is every packet of its interface",
            ["-d 203.0.113.64/28 -i eth2 -j MARK --set-xmark 0x1/0xffffffff"],
            "services:\n  - name: mark-1\n    mark: 1\n    addresses: [203.0.113.64/28]\n    protocols: any\n    in-interface: [eth2]\n"
        ),
        marks(
            "Inverted sources, destinations, interfaces and MAC addresses are entries with !",
            ["-s 192.0.2.0/25 ! -d 10.0.0.0/8 ! -i lo -p tcp -m tcp --dport 80 -m mac ! --mac-source 02:00:5E:10:00:02 \(mark80)"],
            """
            services:
              - name: web
                mark: 80
                addresses: [0.0.0.0/0, "!10.0.0.0/8"]
                tcp: [80]
                sources: [192.0.2.0/25]
                source-macs: ["!02:00:5e:10:00:02"]
                in-interface: ["!lo"]

            """),
        marks(
            "Named ports, lists of addresses and ranges are taken, --or-mark sets bits under a mask",
            [
                "-d 203.0.113.20 -p tcp --dport http -j MARK --set-mark 80",
                "-m iprange --dst-range 203.0.113.30-203.0.113.35 -p tcp --dport 80 -j MARK --or-mark 0x10",
                "-d 203.0.113.21,203.0.113.22 -p tcp --dport 80 -j MARK --set-mark 81",
            ],
            """
            services:
              - name: web
                mark: 80
                addresses: [203.0.113.20]
                tcp: [80]
              - name: web-2
                mark: 0x10/0x10
                addresses: [203.0.113.30/31, 203.0.113.32/30]
                tcp: [80]
              - name: web-3
                mark: 81
                addresses: [203.0.113.21, 203.0.113.22]
                tcp: [80]

            """),
        marks(
            "Names to look up, states, negated ports and kinds of address stay, with the reason",
            [
                "-d www.example.org -p tcp --dport 80 \(mark80)", "-p tcp -m state --state NEW -m tcp --dport 80 \(mark80)",
                "-d 203.0.113.50 -p tcp ! --dport 22 \(mark80)", "-m addrtype --dst-type LOCAL -p tcp -m tcp --dport 80 \(mark80)",
            ], "services: []\n", leftover: 4),
        marks(
            "What is asked on the way to a chain is asked of its rules",
            [":LVS - [0:0]", "-s 10.0.0.0/8 -j LVS", "-A LVS \(web) \(mark80)"],
            "\(webService)    sources: [10.0.0.0/8]\n"),
        marks(
            "A later mark takes its packets from an earlier one",
            ["-d 203.0.113.0/24 -p tcp -j MARK --set-mark 1", "-d 203.0.113.9/32 -p tcp -j MARK --set-mark 2"],
            """
            services:
              - name: mark-1
                mark: 1
                addresses: [203.0.113.0/24, "!203.0.113.9"]
                tcp: any
              - name: mark-2
                mark: 2
                addresses: [203.0.113.9]
                tcp: any

            """),
        marks(
            "Between rules that restore and save the connection's mark nothing is moved",
            [
                "-m conntrack --ctstate RELATED,ESTABLISHED -j CONNMARK --restore-mark", "\(web) \(mark80)",
                "\(web) -j CONNMARK --save-mark",
            ], "services: []\n", leftover: 3),
        marks(
            "Names that YAML reads as something else are in quotes",
            ["\(web) -m comment --comment no \(mark80)"], webService.replacing("name: web", with: "name: \"no\"")),
        marks(
            "A comment that looks like options is a comment, with a line break in it as well",
            ["\(web) -m comment --comment \"web \\\"prod\\\"\n-j DROP\" \(mark80)"], webService),
        translations(
            "What comes after an exception that has no words goes last",
            ["-d 172.16.0.0/12 -m policy --dir out --pol ipsec -j ACCEPT", "-s 10.0.0.0/8 -j MASQUERADE"],
            "daemon:\n  hook-position: last\n\nmasquerade:\n  - name: masquerade\n    sources: [10.0.0.0/8]\n", leftover: 1),
        translations(
            "An ACCEPT before a translation is an entry of its own",
            [
                "-s 10.0.0.0/8 -d 10.0.0.0/8 -j ACCEPT",
                "-s 10.0.0.0/8 -o eth0 -p tcp --dport 25 -j SNAT --to-source 192.0.2.1-192.0.2.3",
            ],
            """
            masquerade:
              - name: unchanged
                sources: [10.0.0.0/8]
                destinations: [10.0.0.0/8]
                to: unchanged
              - name: source-nat
                sources: [10.0.0.0/8]
                destination-tcp: [25]
                out-interface: [eth0]
                to: 192.0.2.1-192.0.2.3

            """),
    ]
}
