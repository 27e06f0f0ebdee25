// SPDX-License-Identifier: GPL-2.0-or-later
import CNetfilter
import Rules

/// Conditions as matches, each as the kernel's header of that name describes it.
extension EntryEncoder {
    /// Appends the matches of the conditions. Neighbours that one match of a protocol can ask for become one: source ports,
    /// destination ports, TCP flags, in this order.
    mutating func append(_ conditions: [Condition], _ transport: ProtocolMatch?) throws(NetfilterError) {
        var index = 0
        while index < conditions.count {
            var own = OwnMatch()
            while index < conditions.count, own.take(conditions[index], transport) { index += 1 }
            if own.step > 0 {
                try append(own, transport)
            } else {
                try append(conditions[index], transport)
                index += 1
            }
        }
    }

    private mutating func append(_ condition: Condition, _ transport: ProtocolMatch?) throws(NetfilterError) {
        switch condition {
        case .ports(let ports) where ports.isMultiport: try append(multiport: ports, transport)
        case .ports, .tcpFlags: throw .noWords("ports without a protocol that has them")
        case .icmp(let type, let codes, let isInverted):
            let data = try appendHeader(
                layout.family == .ipv4 ? "icmp" : "icmp6", revision: 0, dataSize: MemoryLayout<ipt_icmp>.size)
            put((type, codes.lowerBound, codes.upperBound, UInt8(isInverted ? IPT_ICMP_INV : 0)), at: data)
        case .mark(let match): try append("mark", match)
        case .connectionMark(let match): try append("connmark", match)
        case .mac(let address, let isInverted):
            let data = try appendHeader("mac", revision: 0, dataSize: MemoryLayout<xt_mac_info>.size)
            for index in 0..<6 { bytes[data + index] = UInt8(truncatingIfNeeded: address.bits >> UInt64(40 - 8 * index)) }
            put(CInt(isInverted ? 1 : 0), at: data + 8)
        case .connectionState(let states, let isInverted):
            let data = try appendHeader("conntrack", revision: 3, dataSize: MemoryLayout<xt_conntrack_mtinfo3>.size)
            put(UInt16(XT_CONNTRACK_STATE), at: data + EntryLayout.conntrackMatchFlags)
            put(UInt16(isInverted ? XT_CONNTRACK_STATE : 0), at: data + EntryLayout.conntrackInvertFlags)
            put(states.rawValue, at: data + EntryLayout.conntrackStates)
        case .addressType(let match):
            let source = UInt32(match.isSourceInverted ? XT_ADDRTYPE_INVERT_SOURCE : 0)
            let destination = UInt32(match.isDestinationInverted ? XT_ADDRTYPE_INVERT_DEST : 0)
            try append(
                "addrtype", revision: 1,
                xt_addrtype_info_v1(source: match.source, dest: match.destination, flags: source | destination | match.limitFlags))
        case .addressRange(let side, let first, let last, let isInverted):
            let data = try appendHeader("iprange", revision: 1, dataSize: MemoryLayout<xt_iprange_mtinfo>.size)
            let start = side == .source ? data : data + 32
            try put(first, at: start)
            try put(last, at: start + 16)
            let flag = side == .source ? IPRANGE_SRC : IPRANGE_DST
            let inverted = side == .source ? IPRANGE_SRC_INV : IPRANGE_DST_INV
            bytes[data + 64] = UInt8(flag | (isInverted ? inverted : 0))
        case .set(let index, _, _, _): throw .noWords("the set with the index \(index) has no name here")
        case .other(let other): try append(other)
        }
    }

    private mutating func append(_ name: String, _ match: MarkMatch) throws(NetfilterError) {
        // xt_mark_mtinfo1 and xt_connmark_mtinfo1: u32 mark, u32 mask, u8 invert.
        let data = try appendHeader(name, revision: 1, dataSize: MemoryLayout<xt_mark_mtinfo1>.size)
        put(match.value, at: data)
        put(match.mask, at: data + 4)
        bytes[data + 8] = match.isInverted ? 1 : 0
    }

    // MARK: - Ports

    private mutating func append(_ own: OwnMatch, _ transport: ProtocolMatch?) throws(NetfilterError) {
        let source = own.source?.ranges.first ?? .all
        let destination = own.destination?.ranges.first ?? .all
        func inverted(_ ports: PortMatch?, _ flag: Int32) -> Int32 { ports?.isInverted == true ? flag : 0 }
        switch transport.flatMap({ TransportProtocol(number: $0.number) }) {
        case .tcp:
            var match = xt_tcp()
            match.spts = (source.lower, source.upper)
            match.dpts = (destination.lower, destination.upper)
            let flags = own.flags ?? (0, 0, false)
            (match.flg_mask, match.flg_cmp) = (flags.examined, flags.set)
            match.invflags = UInt8(
                inverted(own.source, XT_TCP_INV_SRCPT) | inverted(own.destination, XT_TCP_INV_DSTPT)
                    | (flags.isInverted ? XT_TCP_INV_FLAGS : 0))
            try append("tcp", revision: 0, match)
        case .udp:
            // Member by member: the structure ends with a byte of padding, which a copy of it would leave to chance.
            let start = try appendHeader("udp", revision: 0, dataSize: MemoryLayout<xt_udp>.size)
            put(source, at: start + EntryLayout.udpSource)
            put(destination, at: start + EntryLayout.udpDestination)
            bytes[start + EntryLayout.udpInversions] = UInt8(
                inverted(own.source, XT_UDP_INV_SRCPT) | inverted(own.destination, XT_UDP_INV_DSTPT))
        case .sctp:
            // Unlike the two others, sctp compares only what its flags name. iptables leaves the rest zero, but for the
            // types of chunks whose flags it would compare: none, written as 0xff.
            var match = xt_sctp_info()
            withUnsafeMutableBytes(of: &match.flag_info) { info in
                for index in stride(from: 0, to: info.count, by: MemoryLayout<xt_sctp_flag_info>.stride) { info[index] = 0xff }
            }
            if own.source != nil {
                match.spts = (source.lower, source.upper)
                match.flags |= UInt32(XT_SCTP_SRC_PORTS)
            }
            if own.destination != nil {
                match.dpts = (destination.lower, destination.upper)
                match.flags |= UInt32(XT_SCTP_DEST_PORTS)
            }
            match.invflags = UInt32(inverted(own.source, XT_SCTP_SRC_PORTS) | inverted(own.destination, XT_SCTP_DEST_PORTS))
            try append("sctp", revision: 0, match)
        case nil: throw .noWords("ports without a protocol that has them")
        }
    }

    private mutating func append(multiport ports: PortMatch, _ transport: ProtocolMatch?) throws(NetfilterError) {
        guard ports.ranges.reduce(0, { $0 + PortMatch.slots(of: $1) }) <= PortMatch.multiportSlots, !ports.ranges.isEmpty,
            transport?.isInverted == false
        else {
            throw .noWords("a multiport match needs a protocol and has \(PortMatch.multiportSlots) slots; these ports take more")
        }
        let data = try appendHeader("multiport", revision: 1, dataSize: MemoryLayout<xt_multiport_v1>.size)
        // struct xt_multiport_v1: u8 flags, u8 count, u16 ports[15], u8 pflags[15], u8 invert.
        let first = data + 2
        let continued = first + 2 * PortMatch.multiportSlots
        let side =
            switch ports.side {
            case .source: XT_MULTIPORT_SOURCE
            case .destination: XT_MULTIPORT_DESTINATION
            case .either: XT_MULTIPORT_EITHER
            }
        bytes[data] = UInt8(side.rawValue)
        var slot = 0
        for range in ports.ranges {
            put(range.lower, at: first + 2 * slot)
            if range.lower != range.upper {
                bytes[continued + slot] = 1
                slot += 1
                put(range.upper, at: first + 2 * slot)
            }
            slot += 1
        }
        bytes[data + 1] = UInt8(slot)
        bytes[continued + PortMatch.multiportSlots] = ports.isInverted ? 1 : 0
    }
}

/// What one match of a protocol's own asks for.
private struct OwnMatch {
    var source, destination: PortMatch?
    var flags: (examined: UInt8, set: UInt8, isInverted: Bool)?
    /// How far it has come in the order of the members; zero: it asks for nothing.
    var step = 0

    /// Takes the condition in, if the match can ask for it besides what it asks for already.
    mutating func take(_ condition: Condition, _ transport: ProtocolMatch?) -> Bool {
        guard let transport, !transport.isInverted, TransportProtocol(number: transport.number) != nil else { return false }
        switch condition {
        case .ports(let ports) where !ports.isMultiport && ports.ranges.count == 1:
            if ports.side == .source, step < 1 {
                (source, step) = (ports, 1)
            } else if ports.side == .destination, step < 2 {
                (destination, step) = (ports, 2)
            } else {
                return false
            }
            return true
        case .tcpFlags(let examined, let set, let isInverted) where step < 3 && transport.number == TransportProtocol.tcp.number:
            (flags, step) = ((examined, set, isInverted), 3)
            return true
        default: return false
        }
    }
}
