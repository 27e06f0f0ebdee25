// SPDX-License-Identifier: GPL-2.0-or-later
import CNetlink

/// A set or map of nf_tables, as far as rules compare packets with it.
struct NftSet {
    /// What an element leads to, in a map of verdicts.
    enum Value: Hashable {
        case nothing
        case verdict(NftVerdict)
        case data([UInt8])
    }

    /// An element: a range of keys; the same twice for one key.
    struct Element: Hashable {
        var first: [UInt8]
        var last: [UInt8]
        var value: Value
    }

    /// The elements by their keys.
    var elements: [Element]

    /// The elements in answers to `NFT_MSG_GETSETELEM`. An interval is an element for its start, and one with a flag for the first key
    /// after it; nil where that does not fit together.
    init?(_ messages: [NetlinkMessage], isInterval: Bool) {
        elements = []
        var marks: [(key: [UInt8], isEnd: Bool, value: Value)] = []
        for message in messages {
            let list = message.attributes(after: MemoryLayout<nfgenmsg>.size).nested(NFTA_SET_ELEM_LIST_ELEMENTS)
            for item in list?.list ?? [] {
                let element = NetlinkAttributes(item.bytes)
                let flags = element.networkNumber(NFTA_SET_ELEM_FLAGS) ?? 0
                // Concatenations of ranges are beyond us.
                guard let key = element.nested(NFTA_SET_ELEM_KEY)?.bytes(NFTA_DATA_VALUE),
                    element.bytes(NFTA_SET_ELEM_KEY_END) == nil, flags & UInt32(NFT_SET_ELEM_CATCHALL.rawValue) == 0
                else { return nil }
                let data = element.nested(NFTA_SET_ELEM_DATA)
                let value: Value =
                    data?.nested(NFTA_DATA_VERDICT).flatMap(NftVerdict.init).map(Value.verdict)
                    ?? data?.bytes(NFTA_DATA_VALUE).map { .data(Array($0)) } ?? .nothing
                marks.append((Array(key), flags & UInt32(NFT_SET_ELEM_INTERVAL_END.rawValue) != 0, value))
            }
        }
        guard isInterval else {
            // A hash table has no order of its own.
            elements = marks.map { Element(first: $0.key, last: $0.key, value: $0.value) }
                .sorted { $0.first.lexicographicallyPrecedes($1.first) }
            return
        }
        marks.sort { $0.key == $1.key ? $0.isEnd && !$1.isEnd : $0.key.lexicographicallyPrecedes($1.key) }
        var start: (key: [UInt8], value: Value)?
        for mark in marks {
            if mark.isEnd {
                if let open = start { elements.append(Element(first: open.key, last: NftSet.before(mark.key), value: open.value)) }
                start = nil
            } else {
                start = (mark.key, mark.value)
            }
        }
        if let open = start {
            elements.append(Element(first: open.key, last: open.key.map { _ in 0xff }, value: open.value))
        }
    }

    /// The number before, of as many bytes.
    private static func before(_ key: [UInt8]) -> [UInt8] {
        var key = key
        for index in key.indices.reversed() {
            key[index] &-= 1
            if key[index] != 0xff { break }
        }
        return key
    }
}

/// A verdict of nf_tables.
struct NftVerdict: Hashable {
    /// `NF_ACCEPT`, `NFT_JUMP` ….
    var code: Int32
    /// The chain of a jump or goto.
    var chain: String?

    /// The verdict in the attributes of `NFTA_DATA_VERDICT`.
    init?(_ attributes: NetlinkAttributes) {
        guard let code = attributes.networkNumber(NFTA_VERDICT_CODE) else { return nil }
        self.code = Int32(bitPattern: code)
        chain = attributes.text(NFTA_VERDICT_CHAIN)
    }
}
