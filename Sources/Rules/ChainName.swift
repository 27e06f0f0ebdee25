/// The name of a chain.
package struct ChainName: Sendable, Hashable, Comparable {
    /// The name as iptables shows it.
    package let text: String

    /// The longest usable name, in bytes: `XT_EXTENSION_MAXNAMELEN` of `<linux/netfilter/x_tables.h>` less one. libiptc
    /// takes longer names and cannot find the chain again.
    package static let maximumLength = 28

    /// What the names of all chains of fwmarkd begin with.
    package static let ownPrefix = "FWMARKD-"

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
                problem: "\"\(text)\" cannot be the name of a chain", expected: "1 to 28 printable characters")
        }
        self.text = text
    }

    /// A name from the kernel, whatever it is.
    package init(fromKernel text: String) { self.text = text }

    /// A name that stands in this source.
    private init(known text: String) { self.text = text }

    /// Whether the chain is one of fwmarkd's.
    package var isOurs: Bool { text.utf8.starts(with: ChainName.ownPrefix.utf8) }

    /// The chain of all marks, in mangle.
    package static let mark = ChainName(known: "FWMARKD-MARK")
    /// The chain of all source translations, in nat.
    package static let nat = ChainName(known: "FWMARKD-NAT")
    /// The built-in chain that every packet meets before routing.
    package static let prerouting = ChainName(known: "PREROUTING")
    /// The built-in chain that every packet meets before it leaves.
    package static let postrouting = ChainName(known: "POSTROUTING")

    /// By bytes.
    package static func < (left: ChainName, right: ChainName) -> Bool {
        left.text.utf8.lexicographicallyPrecedes(right.text.utf8)
    }
}

extension ChainName: CustomStringConvertible {
    /// The name itself.
    package var description: String { text }
}
