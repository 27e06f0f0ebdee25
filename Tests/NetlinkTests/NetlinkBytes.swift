// SPDX-License-Identifier: GPL-2.0-or-later
@testable import Netlink

/// Bytes of netlink messages, written as the kernel writes them on a little-endian machine.
func u16(_ value: UInt16) -> [UInt8] { withUnsafeBytes(of: value) { Array($0) } }
func u32(_ value: UInt32) -> [UInt8] { withUnsafeBytes(of: value) { Array($0) } }
func be16(_ value: UInt16) -> [UInt8] { u16(value.bigEndian) }
func be32(_ value: UInt32) -> [UInt8] { u32(value.bigEndian) }
func text(_ value: String) -> [UInt8] { Array(value.utf8) + [0] }

/// An attribute: length, number, payload, padding.
func attribute(_ number: UInt16, _ payload: [UInt8]) -> [UInt8] {
    u16(UInt16(payload.count + 4)) + u16(number) + payload + [UInt8](repeating: 0, count: (4 - payload.count % 4) % 4)
}
