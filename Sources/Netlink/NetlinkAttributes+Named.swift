// SPDX-License-Identifier: GPL-2.0-or-later
/// The same by the header's names for the numbers.
extension NetlinkAttributes {
    func bytes<Name: RawRepresentable<UInt32>>(_ name: Name) -> ArraySlice<UInt8>? { bytes(Int(name.rawValue)) }
    func networkNumber<Name: RawRepresentable<UInt32>>(_ name: Name) -> UInt32? { networkNumber(Int(name.rawValue)) }
    func text<Name: RawRepresentable<UInt32>>(_ name: Name) -> String? { text(Int(name.rawValue)) }
    func nested<Name: RawRepresentable<UInt32>>(_ name: Name) -> NetlinkAttributes? { nested(Int(name.rawValue)) }
}
