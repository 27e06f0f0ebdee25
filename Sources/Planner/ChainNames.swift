internal import Rules

/// Names for the chains of one table, each given once. The same chain has the same name in every plan.
struct ChainNames {
    private var taken: Set<String> = []

    /// The chain of a masquerade's destinations: named like it, or by a digest where its name is too long for that.
    mutating func exceptions(of masquerade: String) -> ChainName {
        let room = ChainName.maximumLength - ChainName.ownPrefix.utf8.count - 2
        guard masquerade.utf8.count > room else { return name("X-" + masquerade) }
        return digested("Y-", masquerade.utf8)
    }

    /// A name of sixteen hexadecimal digits. Where two digests are alike, the chain that asks later gets the next number.
    private mutating func digested(_ kind: String, _ bytes: some Sequence<UInt8>) -> ChainName {
        // FNV-1a, 64 bits (draft-eastlake-fnv): Swift's own hashes differ from run to run.
        var digest: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in bytes { digest = (digest ^ UInt64(byte)) &* 0x100_0000_01b3 }
        while true {
            let digits = String(digest, radix: 16)
            let text = kind + String(repeating: "0", count: 16 - digits.utf8.count) + digits
            if !taken.contains(text) { return name(text) }
            digest &+= 1
        }
    }

    private mutating func name(_ text: String) -> ChainName {
        taken.insert(text)
        return ChainName(fromKernel: ChainName.ownPrefix + text)
    }
}
