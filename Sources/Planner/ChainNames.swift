// SPDX-License-Identifier: GPL-2.0-or-later
import Rules

/// Names for the chains of one table, each given once. The same chain has the same name in every plan.
struct ChainNames {
    /// The digests in use. Names made of something else cannot be alike.
    private var taken: Set<UInt64> = []
    private static let digits = 14

    /// The chain of a service's (`s`) or translation's (`x`) own: `fwmarkd-s-web`, or a digest where the name is too long.
    mutating func own(_ letter: Character, _ owner: String) -> ChainName {
        let room = ChainName.maximumLength - ChainName.ownPrefix.utf8.count - 2
        guard owner.utf8.count > room else { return name("\(letter)-\(owner)") }
        return digested("y-", Array(owner.utf8) + [UInt8(ascii: "-")] + letter.utf8, "")
    }

    /// Another chain of a service's or translation's own, of which it may have several.
    mutating func inner(_ owner: String, _ kind: String, _ number: Int) -> ChainName {
        digested("y-", "\(owner) \(kind) \(number)".utf8, "")
    }

    /// The first chain of a tree: `fwmarkd-m-root`.
    func root(_ kind: String) -> ChainName { name(kind + "-root") }

    /// The chain of a tree that is for a prefix: `fwmarkd-m-cb007100-24`. Of IPv6 the first 56 bits have room in a name; longer
    /// prefixes are a digest.
    mutating func node(_ kind: String, _ prefix: Prefix) -> ChainName {
        let suffix = "-\(prefix.length)"
        switch prefix.family {
        case .ipv4: return name(kind + "-" + hexadecimal(UInt64(prefix.address.bits), digits: 8) + suffix)
        case .ipv6:
            let hasRoom = kind.utf8.count == 1
            if prefix.length <= 4 * ChainNames.digits, hasRoom {
                let head = UInt64(prefix.address.bits >> UInt128(128 - 4 * ChainNames.digits))
                return name(kind + "-" + hexadecimal(head, digits: ChainNames.digits) + suffix)
            }
            return digested(kind + "-", ChainNames.bytes(of: prefix) + kind.utf8, hasRoom ? suffix : "")
        }
    }

    /// The chain of a port tree for the ports that share their first `length` bits with `first`. The tree is that of a prefix, or
    /// that of a chain of a service's own.
    mutating func ports(_ kind: String, _ prefix: Prefix?, _ first: UInt16, _ length: Int) -> ChainName {
        let place = prefix.map(ChainNames.bytes) ?? []
        return digested("p-", place + kind.utf8 + [UInt8(first >> 8), UInt8(first & 0xff), UInt8(length)], "")
    }

    private static func bytes(of prefix: Prefix) -> [UInt8] {
        let bits = prefix.address.bits
        return (0..<16).map { UInt8(truncatingIfNeeded: bits >> UInt128(8 * $0)) } + [UInt8(prefix.length)]
    }

    /// A name of fourteen hexadecimal digits. Where two digests are alike, the chain that asks later gets the next number.
    private mutating func digested(_ kind: String, _ bytes: some Sequence<UInt8>, _ suffix: String) -> ChainName {
        // FNV-1a, 64 bits (draft-eastlake-fnv), folded to 56: Swift's own hashes differ from run to run.
        var digest: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in bytes { digest = (digest ^ UInt64(byte)) &* 0x100_0000_01b3 }
        digest = digest >> 56 ^ digest & 0xff_ffff_ffff_ffff
        while !taken.insert(digest).inserted { digest = (digest + 1) & 0xff_ffff_ffff_ffff }
        return name(kind + hexadecimal(digest, digits: ChainNames.digits) + suffix)
    }

    private func name(_ text: String) -> ChainName { ChainName(bytes: (ChainName.ownPrefix + text).utf8) }
}

/// The number's last digits, with zeros before it.
private func hexadecimal(_ number: UInt64, digits: Int) -> String {
    String(unsafeUninitializedCapacity: digits) { buffer in
        for index in 0..<digits {
            let digit = UInt8(truncatingIfNeeded: number >> UInt64(4 * (digits - 1 - index))) & 0xf
            buffer[index] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
        }
        return digits
    }
}
