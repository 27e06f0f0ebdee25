import Rules

/// Names for the chains of one table, each given once. The same chain has the same name in every plan.
struct ChainNames {
    /// The digests in use. Names made of something else cannot be alike.
    private var taken: Set<String> = []
    private static let digits = 14

    /// The chain of a masquerade's destinations: named like it, or by a digest where its name is too long for that.
    mutating func exceptions(of masquerade: String) -> ChainName {
        let room = ChainName.maximumLength - ChainName.ownPrefix.utf8.count - 2
        guard masquerade.utf8.count > room else { return name("X-" + masquerade) }
        return digested("Y-", masquerade.utf8, "")
    }

    /// The chain of the dispatch tree that is for a block of addresses: `FWMARKD-M-cb007100-24`, with `N` in nat, and the
    /// number of the layer behind the letter from the second on. Of IPv6 the first 56 bits can stand in a name; longer prefixes
    /// are a digest.
    mutating func node(_ table: Table, _ layer: Int, _ prefix: Prefix, isRoot: Bool = false) -> ChainName {
        let letter = table == .mangle ? "M" : "N"
        let kind = layer == 0 ? letter + "-" : "\(letter)\(layer + 1)-"
        if isRoot { return name(kind + "root") }
        let suffix = "-\(prefix.length)"
        switch prefix.family {
        case .ipv4: return name(kind + hexadecimal(UInt64(prefix.address.bits), digits: 8) + suffix)
        case .ipv6:
            if prefix.length <= 4 * ChainNames.digits, layer == 0 {
                let head = UInt64(prefix.address.bits >> UInt128(128 - 4 * ChainNames.digits))
                return name(kind + hexadecimal(head, digits: ChainNames.digits) + suffix)
            }
            return digested(letter + "-", ChainNames.bytes(of: prefix) + kind.utf8, layer == 0 ? suffix : "")
        }
    }

    /// The chain of a block's port tree for the ports that share their first `length` bits with `first`.
    mutating func ports(_ prefix: Prefix, _ transport: TransportProtocol, _ first: UInt16, _ length: Int) -> ChainName {
        let ports = [UInt8(first >> 8), UInt8(first & 0xff), UInt8(length)]
        return digested("P-", ChainNames.bytes(of: prefix) + [transport.number] + ports, "")
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
        while true {
            let text = kind + hexadecimal(digest, digits: ChainNames.digits) + suffix
            if taken.insert(text).inserted { return name(text) }
            digest = (digest + 1) & 0xff_ffff_ffff_ffff
        }
    }

    private func name(_ text: String) -> ChainName { ChainName(fromKernel: ChainName.ownPrefix + text) }
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
