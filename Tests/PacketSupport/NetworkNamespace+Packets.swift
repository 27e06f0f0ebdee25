// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
package import NamespaceSupport
package import Rules

extension NetworkNamespace {
    /// Makes every address one of this namespace's own, and lets packets come in by any of the interfaces.
    package func takeEverything(_ interfaces: [String]) throws {
        for name in ["all", "default"] + interfaces {
            try set("ipv4/conf/\(name)/rp_filter", "0")
            try set("ipv4/conf/\(name)/accept_local", "1")
        }
        for name in ["lo"] + interfaces { try run("ip", "link", "set", name, "up") }
        try run("ip", "-4", "route", "add", "local", "default", "dev", "lo")
        try run("ip", "-6", "route", "add", "local", "default", "dev", "lo")
    }

    /// Makes the namespace a router.
    ///
    /// - Returns: the primary addresses of the interfaces to the outside.
    package func forward(from inside: String, to interfaces: [String]) throws -> [[Family: Address]] {
        for name in ["all", "default", inside] + interfaces { try set("ipv4/conf/\(name)/rp_filter", "0") }
        try set("ipv4/ip_forward", "1")
        try set("ipv6/conf/all/forwarding", "1")
        // Else conntrack leaves packets with wrong checksums alone, and nat with it.
        try set("netfilter/nf_conntrack_checksum", "0")
        try run("ip", "link", "set", inside, "up")
        return try interfaces.enumerated().map { index, name in
            let own: [Family: Address] = [
                .ipv4: Address(ipv4: 0xc000_0201 + UInt32(index)), .ipv6: Address(ipv6: 0x2001_0db8_0e << 88 | UInt128(index + 1)),
            ]
            try run("ip", "link", "set", name, "up")
            for (family, address) in own {
                try run(["ip", "addr", "add", "\(Prefix(address))", "dev", name] + (family == .ipv6 ? ["nodad"] : []))
            }
            return own
        }
    }

    private func set(_ key: String, _ value: String) throws {
        try Data(value.utf8).write(to: URL(fileURLWithPath: "/proc/sys/net/\(key)"))
    }
}
