// SPDX-License-Identifier: GPL-2.0-or-later
import Glibc

/// The files that describe a number of services, for fwmarkd and for its peers.
struct Workload {
    let count: Int

    /// The first virtual address, in host order; the others follow.
    static let firstAddress: UInt32 = 0x0a00_0001

    /// FTP services with masquerading, as the file of fwmarkd; with `changed` the mark of one in the middle is another.
    func configuration(changed: Bool = false) -> String {
        var text = "ftp:\n"
        for index in 0..<count {
            let mark = changed && index == count / 2 ? count + 1 : index + 1
            text += """
                  - name: ftp-\(index)
                    mark: \(mark)
                    addresses: [\(address(index))]
                    passive-ports: 10000-20000
                    active: {real-servers: [\(network(index))]}

                """
        }
        return text
    }

    /// The same without masquerading: only marks.
    func markConfiguration() -> String {
        var text = "services:\n"
        for index in 0..<count {
            text += "  - {name: ftp-\(index), mark: \(index + 1), addresses: [\(address(index))], tcp: [21, 10000-20000]}\n"
        }
        return text
    }

    /// The three lines of DESIGN.md section 1 for each service, for `iptables-legacy-restore` and `iptables-nft-restore`.
    func restore() -> String {
        var text = "*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n"
        for index in 0..<count { text += "-A POSTROUTING \(rules(index)[0])\n" }
        return text + "COMMIT\n" + markRestore()
    }

    /// The two lines that mark.
    func markRestore() -> String {
        var text =
            "*mangle\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n"
        for index in 0..<count { text += "-A PREROUTING \(rules(index)[1])\n-A PREROUTING \(rules(index)[2])\n" }
        return text + "COMMIT\n"
    }

    /// The same as one `iptables` command a rule.
    func commands() -> [[String]] {
        (0..<count).flatMap { index in
            zip(["-t nat -A POSTROUTING", "-t mangle -A PREROUTING", "-t mangle -A PREROUTING"], rules(index)).map { chain, rule in
                "iptables-legacy \(chain) \(rule)".split(separator: " ").map(String.init)
            }
        }
    }

    private func rules(_ index: Int) -> [String] {
        [
            "-p tcp -s \(network(index)) --sport 20 -j MASQUERADE",
            "-p tcp -d \(address(index))/32 --dport 21 -j MARK --set-mark \(index + 1)",
            "-p tcp -d \(address(index))/32 --dport 10000:20000 -j MARK --set-mark \(index + 1)",
        ]
    }

    /// The best that nftables has for it: one rule with a map from address to mark, and one with a set of networks.
    func nftables(withMasquerade: Bool = true) -> String {
        let marks = (0..<count).map { "\(address($0)) : \($0 + 1)" }.joined(separator: ", ")
        var text = """
            table ip fwmarkd {
              map marks { type ipv4_addr : mark; elements = { \(marks) } }
              chain prerouting {
                type filter hook prerouting priority mangle
                tcp dport { 21, 10000-20000 } meta mark set ip daddr map @marks
              }

            """
        if withMasquerade {
            let networks = (0..<count).map(network).joined(separator: ", ")
            text += """
                  set servers { type ipv4_addr; flags interval; elements = { \(networks) } }
                  chain postrouting {
                    type nat hook postrouting priority srcnat
                    tcp sport 20 ip saddr @servers masquerade
                  }

                """
        }
        return text + "}\n"
    }

    private func address(_ index: Int) -> String { dotted(Workload.firstAddress + UInt32(index)) }
    private func network(_ index: Int) -> String { dotted(0xc000_0000 + UInt32(index) << 8) + "/24" }
    private func dotted(_ bits: UInt32) -> String { "\(bits >> 24).\(bits >> 16 & 255).\(bits >> 8 & 255).\(bits & 255)" }
}
