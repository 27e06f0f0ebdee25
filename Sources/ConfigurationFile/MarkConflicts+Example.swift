// SPDX-License-Identifier: GPL-2.0-or-later
import Rules

extension MarkConflicts {
    /// Packets of both services in words: `tcp port 443 of 203.0.113.20/32`.
    static func example(of later: Service, _ earlier: Service) -> String {
        let addresses = AddressRanges(later.addresses).firstCommon(AddressRanges(earlier.addresses))
        let address = addresses.map { $0.range.text($0.family) } ?? "the same addresses"
        return "\(traffic(later.traffic, earlier.traffic)) of \(address)"
    }

    private static func traffic(_ left: Traffic, _ right: Traffic) -> String {
        if left.isEverything && right.isEverything { return "every packet" }
        let (left, right) = (
            Interval.traffic(left).sorted { $0.first < $1.first }, Interval.traffic(right).sorted { $0.first < $1.first }
        )
        for one in left {
            // Ranges of a list may overlap one another, so none of the other list's can be passed over for good.
            guard let other = right.first(where: { $0.first <= one.last && $0.last >= one.first }) else { continue }
            return text(Interval(first: max(one.first, other.first), last: min(one.last, other.last)))
        }
        return "packets"
    }

    private static func text(_ interval: Interval) -> String {
        let number = UInt8(truncatingIfNeeded: interval.first >> 16)
        guard let transport = TransportProtocol(number: number) else { return "protocol \(number)" }
        let ports = (interval.first & 0xffff, interval.last & 0xffff)
        if interval.last >> 16 > interval.first >> 16 || ports == (0, 0xffff) { return "\(transport)" }
        return ports.0 == ports.1 ? "\(transport) port \(ports.0)" : "\(transport) ports \(ports.0)-\(ports.1)"
    }
}
