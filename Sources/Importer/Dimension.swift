// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Rules

/// A value that a list of a configuration can have, of which each covers some packets and overlaps or not.
protocol Dimension: Hashable, Sendable {
    /// Whether everything of `other` is in it.
    func covers(_ other: Self) -> Bool
    /// Whether something is in both.
    func meets(_ other: Self) -> Bool
}

extension Prefix: Dimension {
    func covers(_ other: Prefix) -> Bool { contains(other) }
    func meets(_ other: Prefix) -> Bool { overlaps(other) }
}

extension MACAddress: Dimension {
    func covers(_ other: MACAddress) -> Bool { self == other }
    func meets(_ other: MACAddress) -> Bool { self == other }
}

extension InterfacePattern: Dimension {
    func covers(_ other: InterfacePattern) -> Bool { isPrefix ? other.name.hasPrefix(name) : self == other }
    func meets(_ other: InterfacePattern) -> Bool { overlaps(other) }
}

extension Selection where Element: Dimension {
    /// Whether nothing can match: every entry is excluded.
    var isVoid: Bool {
        !included.isEmpty && included.allSatisfy { entry in excluded.contains { $0.covers(entry) } }
    }

    /// Whether everything of `other` is surely in it.
    func covers(_ other: Selection) -> Bool {
        let isInside =
            included.isEmpty
            || !other.included.isEmpty && other.included.allSatisfy { entry in included.contains { $0.covers(entry) } }
        return isInside
            && excluded.allSatisfy { hole in
                other.excluded.contains { $0.covers(hole) }
                    || !other.included.isEmpty && other.included.allSatisfy { !$0.meets(hole) }
            }
    }

    /// Whether something may be in both.
    func meets(_ other: Selection) -> Bool {
        func isOut(_ entry: Element, of selection: Selection) -> Bool {
            selection.excluded.contains { $0.covers(entry) }
                || !selection.included.isEmpty && !selection.included.contains { $0.meets(entry) }
        }
        if !included.isEmpty, included.allSatisfy({ isOut($0, of: other) }) { return false }
        if !other.included.isEmpty, other.included.allSatisfy({ isOut($0, of: self) }) { return false }
        return true
    }

    /// What is in both; nil: nothing.
    func intersection(_ other: Selection) -> Selection? {
        var result = Selection(excluding: excluded + other.excluded.filter { !excluded.contains($0) })
        switch (included.isEmpty, other.included.isEmpty) {
        case (true, _): result.included = other.included
        case (_, true): result.included = included
        default:
            for left in included {
                for right in other.included {
                    let common = left.covers(right) ? right : right.covers(left) ? left : nil
                    if let common, !result.included.contains(common) { result.included.append(common) }
                }
            }
            if result.included.isEmpty { return nil }
        }
        return result.tidied
    }

    /// The same with nothing said twice; nil: nothing is left.
    var tidied: Selection? {
        var result = self
        result.included = included.filter { entry in !excluded.contains { $0.covers(entry) } }
        if result.included.isEmpty, !included.isEmpty { return nil }
        if !result.included.isEmpty {
            result.excluded = excluded.filter { hole in result.included.contains { $0.meets(hole) } }
        }
        return result
    }
}
