// SPDX-License-Identifier: GPL-2.0-or-later
/// The name of a chain: up to 31 bytes, whatever they are. The kernel does not ask for UTF-8, so neither do we.
package struct ChainName: Sendable, Hashable {
    // The bytes as four big-endian words, zeros after the end: comparing words is comparing bytes, and nothing is allocated.
    private let words: (UInt64, UInt64, UInt64, UInt64)

    /// The longest name that can be used, in bytes: `XT_EXTENSION_MAXNAMELEN` of `<linux/netfilter/x_tables.h>` less one. libiptc
    /// accepts longer names and cannot find the chain again.
    package static let maximumLength = 28

    /// What the names of all chains of fwmarkd begin with. Lower case, so that they sort after all targets: libiptc looks every
    /// target's name up among the chains.
    package static let ownPrefix = "fwmarkd-"

    /// A name of 1 to 28 printable bytes without white space that does not begin with `-` or `!`.
    ///
    /// - Throws: `InvalidValue` for anything else.
    package init(_ text: String) throws(InvalidValue) {
        let bytes = text.utf8
        guard (1...ChainName.maximumLength).contains(bytes.count),
            bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7f }),
            bytes.first != UInt8(ascii: "-"), bytes.first != UInt8(ascii: "!")
        else {
            throw InvalidValue(
                "invalid chain name \"\(text)\"", advice: "names have 1 to 28 printable characters")
        }
        self.init(bytes: bytes)
    }

    /// A name of these bytes, up to the first NUL and at most 31.
    package init(bytes: some Sequence<UInt8>) {
        var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        var index = 0
        for byte in bytes {
            guard byte != 0, index < 31 else { break }
            let part = UInt64(byte) << UInt64(56 - 8 * (index & 7))
            switch index >> 3 {
            case 0: words.0 |= part
            case 1: words.1 |= part
            case 2: words.2 |= part
            default: words.3 |= part
            }
            index += 1
        }
        self.words = words
    }

    /// The name in the memory, up to the first NUL and at most 31 bytes.
    package init(_ memory: UnsafeRawBufferPointer) {
        let length = memory.prefix(31).firstIndex(of: 0) ?? min(memory.count, 31)
        var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        withUnsafeMutableBytes(of: &words) { $0.copyMemory(from: UnsafeRawBufferPointer(rebasing: memory[..<length])) }
        self.words = (words.0.bigEndian, words.1.bigEndian, words.2.bigEndian, words.3.bigEndian)
    }

    /// The name's bytes, without a NUL.
    package var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(32)
        for word in [words.0, words.1, words.2, words.3] {
            for index in 0..<8 {
                let byte = UInt8(truncatingIfNeeded: word >> UInt64(56 - 8 * index))
                if byte == 0 { return bytes }
                bytes.append(byte)
            }
        }
        return bytes
    }

    /// Writes the name and zeros after it into the memory, cut off where the memory ends.
    package func store(into memory: UnsafeMutableRawBufferPointer) {
        withUnsafeBytes(of: (words.0.bigEndian, words.1.bigEndian, words.2.bigEndian, words.3.bigEndian)) { bytes in
            memory.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes.prefix(memory.count)))
        }
    }

    /// Whether libiptc can find a chain of this name again.
    package var isUsable: Bool { bytes.count <= ChainName.maximumLength }

    /// The name for people: what is not printable UTF-8 is escaped as `\xff`.
    package var text: String { printable(bytes) }

    private static let ownWord = ChainName(bytes: ownPrefix.utf8).words.0

    /// Whether the chain is one of fwmarkd's.
    package var isOurs: Bool { words.0 == ChainName.ownWord }

    /// Whether both are the same bytes.
    package static func == (left: ChainName, right: ChainName) -> Bool { left.words == right.words }

    /// The hash of the bytes.
    package func hash(into hasher: inout Hasher) {
        hasher.combine(words.0)
        hasher.combine(words.1)
        hasher.combine(words.2)
        hasher.combine(words.3)
    }
}

extension ChainName {
    /// The chain of all marks of packets that come in, in mangle, entered from PREROUTING.
    package static let mark = ChainName(bytes: "fwmarkd-mark".utf8)
    /// The chain of marks set after routing, in mangle, entered from INPUT.
    package static let markIn = ChainName(bytes: "fwmarkd-mark-in".utf8)
    /// The chain of marks of the director's own packets, in mangle, entered from OUTPUT.
    package static let markOut = ChainName(bytes: "fwmarkd-mark-out".utf8)
    /// The chain of all source translations, in nat, entered from POSTROUTING.
    package static let nat = ChainName(bytes: "fwmarkd-nat".utf8)
    /// The chain that gives FTP control connections their connection tracking helper, in raw, entered from PREROUTING.
    package static let helper = ChainName(bytes: "fwmarkd-helper".utf8)
    /// The chain in mangle that nothing leads into and whose rule keeps connection tracking registered while nat has rules of
    /// ours: so connections survive when another program flushes nat.
    package static let hold = ChainName(bytes: "fwmarkd-hold".utf8)
}

extension ChainName: Comparable {
    /// By bytes.
    package static func < (left: ChainName, right: ChainName) -> Bool { left.words < right.words }
}

extension ChainName: CustomStringConvertible {
    /// The name for people.
    package var description: String { text }
}
