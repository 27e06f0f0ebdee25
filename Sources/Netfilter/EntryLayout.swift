// SPDX-License-Identifier: GPL-2.0-or-later
import CNetfilter
import Rules

/// Where the members of `struct ipt_entry` and `struct ip6t_entry` lie, in bytes from the entry's start; all taken from the
/// kernel's headers. Multi-byte members are in the machine's byte order, except addresses, which are in network order.
struct EntryLayout {
    let family: Family
    /// The entry without matches and target.
    let size: Int
    /// One address: 4 or 16.
    let addressSize: Int
    let source, destination, sourceMask, destinationMask: Int
    let inInterface, outInterface, inInterfaceMask, outInterfaceMask: Int
    /// u16.
    let protocolNumber: Int
    /// u8 both.
    let flags, inversions: Int
    /// u16 both.
    let targetOffset, nextOffset: Int
    /// u32.
    let comefrom: Int
    /// Two u64: packets, bytes.
    let counters: Int
    /// In `flags`: the target is `-g`.
    let gotoFlag: UInt8
    /// In `flags`: the protocol is to be compared. IPv6 alone has it.
    let protocolFlag: UInt8
    /// u32 at the entry's start after the addresses, which is no longer used.
    let nfcache: Int

    /// The layout of the family's entries.
    static func of(_ family: Family) -> EntryLayout { family == .ipv4 ? ipv4 : ipv6 }

    private static let ipv4 = EntryLayout(
        family: .ipv4,
        size: MemoryLayout<ipt_entry>.size,
        addressSize: MemoryLayout<in_addr>.size,
        source: offset(\ipt_entry.ip.src), destination: offset(\ipt_entry.ip.dst),
        sourceMask: offset(\ipt_entry.ip.smsk), destinationMask: offset(\ipt_entry.ip.dmsk),
        inInterface: offset(\ipt_entry.ip.iniface), outInterface: offset(\ipt_entry.ip.outiface),
        inInterfaceMask: offset(\ipt_entry.ip.iniface_mask), outInterfaceMask: offset(\ipt_entry.ip.outiface_mask),
        protocolNumber: offset(\ipt_entry.ip.proto),
        flags: offset(\ipt_entry.ip.flags), inversions: offset(\ipt_entry.ip.invflags),
        targetOffset: offset(\ipt_entry.target_offset), nextOffset: offset(\ipt_entry.next_offset),
        comefrom: offset(\ipt_entry.comefrom), counters: offset(\ipt_entry.counters),
        gotoFlag: UInt8(IPT_F_GOTO), protocolFlag: 0,
        nfcache: offset(\ipt_entry.nfcache)
    )

    private static let ipv6 = EntryLayout(
        family: .ipv6,
        size: MemoryLayout<ip6t_entry>.size,
        addressSize: MemoryLayout<in6_addr>.size,
        source: offset(\ip6t_entry.ipv6.src), destination: offset(\ip6t_entry.ipv6.dst),
        sourceMask: offset(\ip6t_entry.ipv6.smsk), destinationMask: offset(\ip6t_entry.ipv6.dmsk),
        inInterface: offset(\ip6t_entry.ipv6.iniface), outInterface: offset(\ip6t_entry.ipv6.outiface),
        inInterfaceMask: offset(\ip6t_entry.ipv6.iniface_mask), outInterfaceMask: offset(\ip6t_entry.ipv6.outiface_mask),
        protocolNumber: offset(\ip6t_entry.ipv6.proto),
        flags: offset(\ip6t_entry.ipv6.flags), inversions: offset(\ip6t_entry.ipv6.invflags),
        targetOffset: offset(\ip6t_entry.target_offset), nextOffset: offset(\ip6t_entry.next_offset),
        comefrom: offset(\ip6t_entry.comefrom), counters: offset(\ip6t_entry.counters),
        gotoFlag: UInt8(IP6T_F_GOTO), protocolFlag: UInt8(IP6T_F_PROTO),
        nfcache: offset(\ip6t_entry.nfcache)
    )

    /// In `inversions`, for both families: what is to be everything but the given (`IPT_INV_…`, `IP6T_INV_…`).
    static let sourceInverted = UInt8(IPT_INV_SRCIP)
    static let destinationInverted = UInt8(IPT_INV_DSTIP)
    static let inInterfaceInverted = UInt8(IPT_INV_VIA_IN)
    static let outInterfaceInverted = UInt8(IPT_INV_VIA_OUT)
    static let fragmentInverted = UInt8(IPT_INV_FRAG)
    static let protocolInverted = UInt8(XT_INV_PROTO)
    /// In `flags` of IPv4: second and further fragments alone.
    static let fragmentFlag = UInt8(IPT_F_FRAG)

    /// Two u16 each: the first and the last port, in the data of a udp match.
    static let udpSource = offset(\xt_udp.spts)
    static let udpDestination = offset(\xt_udp.dpts)
    /// u8.
    static let udpInversions = offset(\xt_udp.invflags)

    /// u16 all, in the data of a conntrack match of revision 3; those of revision 2 are in the same places.
    static let conntrackMatchFlags = offset(\xt_conntrack_mtinfo3.match_flags)
    static let conntrackInvertFlags = offset(\xt_conntrack_mtinfo3.invert_flags)
    static let conntrackStates = offset(\xt_conntrack_mtinfo3.state_mask)

    /// Where the data of a match or a target begin, after its header.
    static let headerSize = MemoryLayout<xt_entry_match>.size
    /// Where a header keeps its size (u16), its name and its revision (u8): `struct xt_entry_match`, `xt_entry_target`.
    static let headerName = MemoryLayout<UInt16>.size
    static let nameSize = Int(XT_EXTENSION_MAXNAMELEN)
    static let headerRevision = headerName + nameSize
    /// How many bytes an interface's name has: IFNAMSIZ.
    static let interfaceSize = Int(IFNAMSIZ)

    /// Verdicts of a standard target that are not offsets: `-NF_… - 1`, and `XT_RETURN` (linux/netfilter/x_tables.h).
    static let verdictDrop = -NF_DROP - 1
    static let verdictAccept = -NF_ACCEPT - 1
    static let verdictQueue = -NF_QUEUE - 1
    static let verdictReturn = -NF_REPEAT - 1

    private static func offset<Root, Value>(_ path: KeyPath<Root, Value>) -> Int {
        // Stored members of an imported C structure always have an offset.
        MemoryLayout<Root>.offset(of: path).unsafelyUnwrapped
    }
}
