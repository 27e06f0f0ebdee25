// SPDX-License-Identifier: GPL-2.0-or-later
import CNetlink
import Rules

/// Attributes by their numbers, and in their order (`struct nlattr` of `<linux/netlink.h>`). What does not fit is left out.
struct NetlinkAttributes {
    /// All attributes: number and payload.
    private(set) var list: [(type: Int, bytes: ArraySlice<UInt8>)] = []

    /// Reads attributes up to the first that does not fit.
    init(_ bytes: ArraySlice<UInt8>) {
        var rest = bytes
        while let size = NetlinkMessage.load(UInt16.self, rest, at: 0), let type = NetlinkMessage.load(UInt16.self, rest, at: 2) {
            let length = Int(size)
            guard length >= 4, length <= rest.count else { return }
            // The two highest bits say that it is nested, and its byte order.
            list.append((Int(type & 0x3fff), rest.dropFirst(4).prefix(length - 4)))
            rest = rest.dropFirst((length + 3) & ~3)
        }
    }

    /// The bytes of the first attribute of that number.
    func bytes(_ type: Int) -> ArraySlice<UInt8>? { list.first { $0.type == type }?.bytes }

    /// A value in the machine's byte order; nil if the attribute is missing or too short.
    func value<Value: BitwiseCopyable>(_ type: Int, as: Value.Type) -> Value? {
        bytes(type).flatMap { NetlinkMessage.load(Value.self, $0, at: 0) }
    }

    /// A number of 32 bits in the machine's byte order.
    func number(_ type: Int) -> UInt32? { value(type, as: UInt32.self) }

    /// A number of 32 bits in network byte order, as nf_tables sends them.
    func networkNumber(_ type: Int) -> UInt32? { number(type).map { UInt32(bigEndian: $0) } }

    /// A text up to its NUL.
    func text(_ type: Int) -> String? { bytes(type).map { String(keeping: $0.prefix { $0 != 0 }) } }

    /// The attributes inside of one.
    func nested(_ type: Int) -> NetlinkAttributes? { bytes(type).map { NetlinkAttributes($0) } }

    /// The bytes of one attribute for a request, padded to a multiple of four.
    static func encode(_ type: Int, _ payload: [UInt8]) -> [UInt8] {
        var head = nlattr(nla_len: UInt16(truncatingIfNeeded: payload.count + 4), nla_type: UInt16(truncatingIfNeeded: type))
        let padding = [UInt8](repeating: 0, count: (4 - payload.count % 4) % 4)
        return withUnsafeBytes(of: &head) { Array($0) } + payload + padding
    }

    /// The same with a value in the machine's byte order.
    static func encode<Value: BitwiseCopyable>(_ type: Int, value: Value) -> [UInt8] {
        encode(type, withUnsafeBytes(of: value) { Array($0) })
    }
}
