// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Rules

/// The interfaces that a list of the file means: those in `included` that are not in `excluded`.
struct InterfaceChoice {
    /// Patterns of which none covers another, in the order of the file; nil: every interface.
    private(set) var included: [InterfacePattern]?
    /// Patterns of which none covers another, each within `included`.
    private(set) var excluded: [InterfacePattern]

    /// The choice of the list; nil where no interface is meant.
    init?(_ list: Selection<InterfacePattern>) {
        guard !list.isEmpty else {
            (included, excluded) = (nil, [])
            return
        }
        let holes = Patterns(list.excluded)
        excluded = holes.outermost
        guard !list.included.isEmpty, !list.included.contains(where: \.isAny) else {
            included = nil
            if excluded.contains(where: \.isAny) { return nil }
            return
        }
        let wanted = Patterns(list.included.filter { !holes.covers($0) })
        let included = wanted.outermost
        self.included = included
        excluded = excluded.filter { wanted.covers($0) }
        if included.isEmpty { return nil }
    }
}

/// Patterns that are asked what they cover.
private struct Patterns {
    private let patterns: [InterfacePattern]
    private let known: Set<InterfacePattern>

    init(_ patterns: [InterfacePattern]) {
        self.patterns = patterns
        known = Set(patterns)
    }

    /// The patterns in their order, less those that another one covers.
    var outermost: [InterfacePattern] {
        var left = known
        return patterns.filter { !isWithinWider($0) && left.remove($0) != nil }
    }

    /// Whether every interface of the pattern is one of these.
    func covers(_ pattern: InterfacePattern) -> Bool { known.contains(pattern) || isWithinWider(pattern) }

    /// Whether one of these covers the pattern and is another one. A name has fifteen beginnings at most.
    private func isWithinWider(_ pattern: InterfacePattern) -> Bool {
        var beginning = pattern.name[...]
        if pattern.isPrefix, beginning.popLast() == nil { return false }
        while true {
            if known.contains(InterfacePattern(beginning: String(beginning))) { return true }
            if beginning.popLast() == nil { return false }
        }
    }
}
