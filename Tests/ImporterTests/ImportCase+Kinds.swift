// SPDX-License-Identifier: GPL-2.0-or-later
extension ImportCase {
    private static let mark80 = "-j MARK --set-xmark 0x50/0xffffffff"

    /// More of the kinds that were misread once.
    static let kinds: [ImportCase] = [
        marks(
            "What is dropped may be marked before",
            [
                "-m conntrack --ctstate INVALID -j DROP",
                "-s 198.51.100.66/32 -m comment --comment \"ticket 4711\nsee wiki\" -j DROP",
                "-d 203.0.113.10/32 -p tcp -m tcp --dport 8080 \(mark80)",
            ], "services:\n  - name: mark-80\n    mark: 80\n    addresses: [203.0.113.10]\n    tcp: [8080]\n", leftover: 2),
        marks(
            "A mask leaves the other bits of the mark before it",
            ["-d 203.0.113.10/32 -p udp \(mark80)", "-d 203.0.113.0/24 -p udp -j MARK --set-xmark 0x100/0x100"],
            """
            services:
              - name: mark-336
                mark: 336
                addresses: [203.0.113.10]
                udp: any
              - name: mark-256
                mark: 0x100/0x100
                addresses: [203.0.113.0/24]
                udp: any

            """),
        marks(
            "What leaves PREROUTING by -g comes to no jump at its end",
            [
                ":B - [0:0]", "-p tcp -g B", "-A B -d 203.0.113.10/32 -m mark ! --mark 0x7 -j CONNMARK --save-mark",
                "-A B -d 203.0.113.10/32 -p tcp -m tcp --dport 8080 \(mark80)",
            ], "services: []\n", leftover: 2),
        marks(
            "Marks that are saved in between stay, and what comes after them goes last",
            [
                "-d 203.0.113.10/32 -p tcp \(mark80)", "-d 203.0.113.10/32 -p tcp -j CONNMARK --save-mark",
                "-d 203.0.113.10/32 -p tcp -j MARK --set-mark 5",
            ],
            """
            daemon:
              hook-position: last

            services:
              - name: mark-5
                mark: 5
                addresses: [203.0.113.10]
                tcp: any

            """, leftover: 2),
        marks(
            "A chain that is entered twice is one service",
            [
                ":LVS - [0:0]", "-s 10.0.0.0/8 -j LVS", "-s 10.0.0.0/8 -j ACCEPT", "-j LVS",
                "-A LVS -d 203.0.113.10/32 -p tcp -m tcp --dport 8080 \(mark80)",
            ], "services:\n  - name: mark-80\n    mark: 80\n    addresses: [203.0.113.10]\n    tcp: [8080]\n", leftover: 1),
        marks(
            "Values in one word with their options, octal ports, negation the old way, protocols by number",
            [
                "-d203.0.113.10 -p6 --dport=010 -jMARK --set-mark=0x50", "-s ! 10.0.0.0/8 -d 203.0.113.11 -p 132 \(mark80)",
                "-d 203.0.113.12/255.255.255.255 -p all \(mark80)",
            ],
            """
            services:
              - name: mark-80
                mark: 80
                addresses: [203.0.113.10]
                tcp: [8]
              - name: mark-80-2
                mark: 80
                addresses: [203.0.113.11]
                sctp: any
                sources: ["!10.0.0.0/8"]
              - name: mark-80-3
                mark: 80
                addresses: [203.0.113.12]
                protocols: any

            """),
        marks(
            "A name that is a rule's comment is that rule's",
            [
                "-d 203.0.113.10/32 -p tcp -m tcp --dport 80 \(mark80)",
                "-d 203.0.113.11/32 -p tcp -m tcp --dport 80 -m comment --comment web -j MARK --set-mark 81",
            ],
            """
            services:
              - name: web-2
                mark: 80
                addresses: [203.0.113.10]
                tcp: [80]
              - name: web
                mark: 81
                addresses: [203.0.113.11]
                tcp: [80]

            """),
        marks(
            "Ranges inside of one another keep what those after them leave",
            [
                "-d 203.0.113.10/32 -p tcp -m tcp --dport 1000:2000 -j MARK --set-mark 1",
                "-d 203.0.113.10/32 -p tcp -m tcp --dport 1200:1800 -j MARK --set-mark 2",
                "-d 203.0.113.10/32 -p tcp -m multiport --dports 1400,1700:1900 -j MARK --set-mark 3",
            ],
            """
            services:
              - name: mark-1
                mark: 1
                addresses: [203.0.113.10]
                tcp: [1000-1199, 1901-2000]
              - name: mark-2
                mark: 2
                addresses: [203.0.113.10]
                tcp: [1200-1399, 1401-1699]
              - name: mark-3
                mark: 3
                addresses: [203.0.113.10]
                tcp: [1400, 1700-1900]

            """),
        marks(
            "A rule without ports takes fragments as well, and keeps them",
            ["-d 203.0.113.10/32 -p udp \(mark80)", "-d 203.0.113.10/32 -p udp -m udp --dport 53 -j MARK --set-mark 53"],
            "daemon:\n  hook-position: last\n\nservices:\n  - name: dns\n    mark: 53\n    addresses: [203.0.113.10]\n    udp: [53]\n",
            leftover: 1),
        marks(
            "What is taken out by source ports, or by the interface it leaves by, goes last",
            [
                "-p tcp -m tcp --sport 1:1023 -j ACCEPT", "-d 203.0.113.10/32 -p tcp -m tcp --dport 8080 \(mark80)",
                ":OUTPUT ACCEPT [0:0]", "-A OUTPUT -o lo -j ACCEPT", "-A OUTPUT -d 203.0.113.11/32 -p udp \(mark80)",
            ],
            """
            daemon:
              hook-position: last

            services:
              - name: mark-80
                mark: 80
                addresses: [203.0.113.10]
                tcp: [8080]
              - name: mark-80-2
                mark: 80
                addresses: [203.0.113.11]
                udp: any
                hooks: [output]

            """, leftover: 2),
        translations(
            "A masquerade has no protocols but those with ports",
            ["-s 10.0.0.0/8 -p icmp -j MASQUERADE"], "services: []\n", leftover: 1),
        translations(
            "A translation that is covered in part by one before it keeps its place",
            [
                "-d 172.16.0.0/12 -m policy --dir out --pol ipsec -j ACCEPT", "-s 10.1.0.0/16 -j SNAT --to-source 198.51.100.1",
                "-s 10.0.0.0/8 -j MASQUERADE",
            ],
            """
            daemon:
              hook-position: last

            masquerade:
              - name: source-nat
                sources: [10.1.0.0/16]
                to: 198.51.100.1
              - name: masquerade
                sources: [10.0.0.0/8]

            """, leftover: 1),
    ]

    /// All of them.
    static let every = all + kinds
}
