// SPDX-License-Identifier: GPL-2.0-or-later
import Rules

/// Values as people write them who know them from elsewhere, and how they are written here.
enum ValueText {
    // MARK: - Ports

    /// Why that is no port and no range of ports.
    static func explain(ports text: String, every: String) -> Refusal {
        if ["any", "all", "*", "0-65535", "0:65535"].contains(text.lowercased()) {
            return Refusal("\"\(text)\" is every port; \(every)")
        }
        if text.hasPrefix("!"), let range = try? PortRange(parsing: String(text.dropFirst())) {
            let rest = [(1, Int(range.lower) - 1), (Int(range.upper) + 1, 65535)].filter { $0.0 <= $0.1 }
            return Refusal(
                "nothing can be excluded here; the other ports are "
                    + rest.map { $0.0 == $0.1 ? "\($0.0)" : "\($0.0)-\($0.1)" }.joined(separator: ", "))
        }
        var dashed = text
        for other in [":", "..", "–", " - ", " to "] { dashed = dashed.replacing(other, with: "-", maxReplacements: 1) }
        if dashed.hasSuffix("-") { dashed += "65535" }
        if dashed.hasPrefix("-") { dashed = "1" + dashed }
        let error: InvalidValue
        do throws(InvalidValue) {
            _ = try PortRange(parsing: text)
            return Refusal("\"\(text)\" cannot be written here")
        } catch let found {
            error = found
        }
        if dashed != text, let range = try? PortRange(parsing: dashed) { return Refusal("\(error.problem); write \(range)") }
        return Refusal(error.description)
    }

    // MARK: - Addresses

    /// Reads what is no prefix, so that the type says why; what is advised keeps the "!".
    static func prefix(explaining text: ScalarText) throws(Refusal) -> (Prefix, Bool) {
        let (body, isExcluded) = text.excluded.map { ($0, true) } ?? (text, false)
        let (string, sign) = (body.string, isExcluded ? "!" : "")
        func advice(_ prefixes: [Prefix]) -> String {
            "write "
                + prefixes.map { isExcluded || $0.family == .ipv6 ? "\"\(sign)\($0.shortText)\"" : $0.shortText }.joined(
                    separator: ", ")
        }
        let error: InvalidValue
        do throws(InvalidValue) {
            return (try Prefix(parsing: string), isExcluded)
        } catch let found {
            error = found
        }
        let problem = (isExcluded ? "\"\(text.string)\": " : "") + error.problem
        if string.isEmpty { throw Refusal("\"\(text.string)\" is no address") }
        if ["any", "all", "*"].contains(string) { throw Refusal("\(problem); every address is 0.0.0.0/0 and \"::/0\"") }
        if let prefixes = otherwise(string) { throw Refusal("\(problem); \(advice(prefixes))") }
        guard isExcluded else { throw Refusal(error.description) }
        // The type's advice is without the "!".
        guard let slash = string.firstIndex(of: "/"), let length = Int(string[string.index(after: slash)...]),
            let address = try? Address(parsing: String(string[..<slash])), (0...address.family.bitWidth).contains(length)
        else { throw Refusal(problem + (error.advice.flatMap { $0.hasPrefix("write") ? nil : "; " + $0 } ?? "")) }
        let wide = Prefix(containing: address, length: length)
        throw Refusal("\(problem); write \"!\(wide)\", or \"!\(address)\" for the one address")
    }

    /// What other ways of writing addresses mean: a range, a netmask, brackets, an IPv4-mapped address.
    private static func otherwise(_ text: String) -> [Prefix]? {
        if text.hasPrefix("["), text.hasSuffix("]") {
            return (try? Prefix(parsing: String(text.dropFirst().dropLast()))).map { [$0] }
        }
        if text.hasPrefix("::ffff:") { return (try? Prefix(parsing: String(text.dropFirst(7)))).map { [$0] } }
        let mask = text.split(separator: "/", omittingEmptySubsequences: false)
        if mask.count == 2, let address = try? Address(parsing: String(mask[0])), address.family == .ipv4,
            let bits = (try? Address(parsing: String(mask[1]))).map({ UInt32(truncatingIfNeeded: $0.bits) }),
            bits.leadingZeroBitCount == 0 || bits == 0, (~bits & (~bits &+ 1)) == 0
        {
            let prefix = Prefix(containing: address, length: bits.nonzeroBitCount)
            return prefix.address == address ? [prefix] : nil
        }
        let ends = text.split(separator: "-", omittingEmptySubsequences: false).map { try? Address(parsing: String($0)) }
        guard ends.count == 2, let first = ends[0], let last = ends[1], first.family == last.family, first <= last else {
            return nil
        }
        return prefixes(first, last)
    }

    /// The prefixes from one address to another; nil if there are more than eight.
    private static func prefixes(_ first: Address, _ last: Address) -> [Prefix]? {
        var found: [Prefix] = []
        var next = first
        while true {
            var length = next.family.bitWidth
            while length > 0 {
                let wider = Prefix(containing: next, length: length - 1)
                guard wider.address == next, wider.last <= last else { break }
                length -= 1
            }
            let prefix = Prefix(containing: next, length: length)
            found.append(prefix)
            if prefix.last == last { return found }
            if found.count == 8 { return nil }
            next = Address(family: next.family, bits: prefix.last.bits + 1)
        }
    }
}

extension Prefix {
    /// As short as it can be written: an address without its length.
    fileprivate var shortText: String { length == family.bitWidth ? "\(address)" : "\(self)" }
}
