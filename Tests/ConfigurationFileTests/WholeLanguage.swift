// SPDX-License-Identifier: GPL-2.0-or-later

/// A file that has every word.
let wholeLanguage = """
    daemon:
      on-drift: report
      on-stop: remove
      hook-position: last
      check-interval: 250ms
      lock-timeout: 1s
      http-listen: "[::1]:9780"

    ftp:
      - name: ftp
        mark: 0x15
        addresses: [203.0.113.10, "2001:db8::10"]
        control-port: [2121, 990]
        passive-ports: 10000-20000
        active:
          real-servers: [10.11.12.0/24]
          data-port: [2020, 989]
          to: 203.0.113.10
      - name: passive-only
        mark: 22
        addresses: [203.0.113.11]
        passive-ports: 1-65535
        forwarding: tunnel
        active: {data-port: 20}
      - name: followed
        mark: 23
        addresses: [203.0.113.12]
        passive-ports: 1024-65535
        active:
          real-servers: [10.11.12.0/24]
          to: virtual-address

    services:
      - name: web
        mark: 0x100/0xff00
        addresses: [203.0.113.20, "2001:db8::20", 203.0.113.32/28, "!203.0.113.40"]
        tcp: [80, "443", 8000-8099]
        udp: any
        sctp: [9, 1-65535]
        protocols: [esp, ah, 47]
        sources: ["!10.0.0.0/8", "! fd00::/8"]
        source-macs: ["!02:00:5e:10:00:02", "02:00:5e:10:00:03"]
        in-interface: [eth+, "!eth1"]
      - name: everything
        mark: 0x100/0xff00
        addresses: [203.0.113.64/26, "!203.0.113.70"]
        protocols: any
        hooks: [output, input, prerouting, input]

    masquerade:
      - name: real-servers
        sources: [10.11.12.0/24, "!10.11.12.7"]
        services: [web, ftp]
        tcp: [20]
        udp: any
        destination-tcp: [25]
        destination-udp: any
        destinations: ["!10.0.0.0/8", "! 192.168.0.0/16"]
        out-interface: "!eth0"
        to: 203.0.113.1-203.0.113.9
        random: true
      - name: six
        sources:
          - 2001:db8:1::/64
        to: 2001:db8::1
      - name: left-alone
        destinations: [10.0.0.0/8]
        to: unchanged
    """
