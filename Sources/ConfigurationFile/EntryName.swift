// SPDX-License-Identifier: GPL-2.0-or-later
/// What entries may be called.
package enum EntryName {
    /// How many characters a name has at most.
    package static let limit = 64

    /// Whether there is no other character than letters, digits, '.', '_' and '-'.
    package static func isPlain(_ bytes: some Sequence<UInt8>) -> Bool {
        bytes.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                true
            default: false
            }
        }
    }
}
