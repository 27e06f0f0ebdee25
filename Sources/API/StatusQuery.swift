// SPDX-License-Identifier: GPL-2.0-or-later
import Rules

/// Which part of the services and translations `GET /v1/status` is asked for.
package struct StatusQuery: Sendable, Hashable {
    /// Only what has this in its name, this address among its addresses, or this mark; nil: all.
    package var match: String?
    /// How many of either are left out at the beginning.
    package var offset: Int
    /// How many of either there may be; nil: any number.
    package var limit: Int?

    /// The names of the parameters.
    package static let parameters = ["match", "offset", "limit"]
    /// The longest text to match, in bytes.
    package static let longestMatch = 200

    /// The part that parameters ask for.
    ///
    /// - Parameter value: the value of a parameter by its name; nil: it was not given.
    package init(_ value: (String) -> String?) throws(InvalidParameter) {
        func number(_ name: String) throws(InvalidParameter) -> Int? {
            guard let text = value(name) else { return nil }
            guard let number = UInt32(text), "\(number)" == text else {
                throw InvalidParameter(name, "invalid value \"\(printable(text))\": it is a number from 0 to \(UInt32.max)")
            }
            return Int(number)
        }
        offset = try number("offset") ?? 0
        limit = try number("limit")
        match = value("match").flatMap { $0.isEmpty ? nil : $0 }
        if let match, match.utf8.count > StatusQuery.longestMatch {
            throw InvalidParameter("match", "longer than \(StatusQuery.longestMatch) bytes")
        }
    }

    /// Whether everything is asked for.
    package var isAll: Bool { match == nil && offset == 0 && limit == nil }

    /// The status with the part that is asked for.
    package func part(of status: Status) -> Status {
        guard !isAll else { return status }
        var status = status
        if let match {
            let wanted = Wanted(match)
            status.services = status.services.filter {
                wanted.matches($0.name, $0.addresses) || wanted.matches(mark: $0.mark)
            }
            let names = Set(status.services.map(\.name))
            status.masquerades = status.masquerades.filter {
                wanted.matches($0.name, $0.sources + [$0.to]) || $0.services.contains { names.contains($0) }
            }
        }
        status.matchingServices = status.services.count
        status.matchingMasquerades = status.masquerades.count
        status.services = page(status.services)
        status.masquerades = page(status.masquerades)
        return status
    }

    private func page<Item>(_ items: [Item]) -> [Item] { Array(items.dropFirst(offset).prefix(limit ?? .max)) }

    /// What a name, an address or a mark is compared with.
    private struct Wanted {
        let text: String
        let prefix: Prefix?
        let mark: Mark?

        init(_ text: String) {
            self.text = text.lowercased()
            prefix = (try? Address(parsing: text)).map { Prefix($0) } ?? (try? Prefix(parsing: text))
            mark = try? Mark(parsing: text)
        }

        func matches(mark text: String) -> Bool { mark != nil && (try? Mark(parsing: text)) == mark }

        func matches(_ name: String, _ addresses: [String]) -> Bool {
            if name.lowercased().contains(text) { return true }
            guard let prefix else { return addresses.contains { $0.lowercased().hasPrefix(text) } }
            return addresses.contains { address in
                guard !address.hasPrefix("!"), let other = StatusQuery.prefix(address) else { return false }
                return other.overlaps(prefix)
            }
        }
    }

    private static func prefix(_ text: String) -> Prefix? {
        (try? Address(parsing: text)).map { Prefix($0) } ?? (try? Prefix(parsing: text))
    }
}
