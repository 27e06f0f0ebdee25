// SPDX-License-Identifier: GPL-2.0-or-later
import Rules

extension Judgement {
    /// What all of the ways agree on.
    init(_ ways: [Way]) {
        let first = ways[0]
        // Nearly all packets have one way, on which nothing is in doubt.
        if ways.count == 1, first.isCertain {
            mark = .known(first.packet.mark.value)
            connectionMark = .known(first.packet.connectionMark.value)
            translation = .known(first.translation)
            (destination, destinationPort) = (first.packet.destination, first.packet.destinationPort)
            isDestinationTranslated = first.packet.isDestinationTranslated
            helper = .known(first.helper)
            verdict = .known(first.verdict)
            steps = first.steps
            (markStep, translationStep, verdictStep) = (first.markStep, first.translationStep, first.verdictStep)
            return
        }
        // The packet matched the rules in doubt on some of the ways; the first doubt is the one to tell.
        let fork = ways.lazy.compactMap(\.firstFork).first
        func agreed<Value: Hashable & Sendable>(_ value: (Way) -> Value?, _ doubt: (Way) -> Step?) -> Known<Value> {
            if let doubt = ways.lazy.compactMap(doubt).first { return .unknown(because: doubt) }
            let values = Set(ways.map(value))
            if values.count == 1, let only = values.first, let only { return .known(only) }
            return .unknown(because: fork ?? first.steps.last ?? Step(.mangle, Hook.prerouting.chain, 0, Rule(target: .none)))
        }
        // What a packet that ends was marked with no longer matters.
        let passing = ways.filter { $0.verdict == .accept }
        mark = agreed(
            { $0.packet.mark.unknown == 0 ? $0.packet.mark.value : nil }, { $0.packet.mark.unknown == 0 ? nil : $0.markDoubt })
        connectionMark = agreed(
            { $0.packet.connectionMark.unknown == 0 ? $0.packet.connectionMark.value : nil }, { $0.connectionDoubt })
        translation = agreed(\.translation, \.translationDoubt)
        func common<Value: Hashable>(_ value: (Way) -> Value?) -> Value? {
            let values = Set(passing.map(value))
            return values.count == 1 ? values.first ?? nil : nil
        }
        (destination, destinationPort) = (common(\.packet.destination), common(\.packet.destinationPort))
        isDestinationTranslated = common(\.packet.isDestinationTranslated)
        helper = agreed(\.helper, \.verdictDoubt)
        verdict = agreed(\.verdict, \.verdictDoubt)
        let told = passing.first ?? first
        steps = told.steps
        markStep = told.markStep
        translationStep = told.translationStep
        verdictStep = first.verdictStep
    }
}

extension Way {
    /// Whether all that it did is known.
    fileprivate var isCertain: Bool {
        firstFork == nil && markDoubt == nil && connectionDoubt == nil && translationDoubt == nil && verdictDoubt == nil
            && packet.mark.unknown == 0 && packet.connectionMark.unknown == 0
    }
}
