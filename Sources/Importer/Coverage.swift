package import ConfigurationFile
import Rules

extension ImportedRules {
    /// The originals that the configuration stands for: with it in the kernel, and without them, every packet gets what they gave
    /// it.
    ///
    /// The import must have been made for the configuration's `hook-position`.
    package func covered(by configuration: Configuration) -> [FoundRule] {
        let services = configuration.allServices
        let masquerades = configuration.allMasquerades
        return marks.filter { $0.isCovered(by: services) }.map(\.rule)
            + translations.filter { $0.isCovered(by: masquerades) }.map(\.rule)
    }
}

extension MarkCandidate {
    fileprivate func isCovered(by services: [Service]) -> Bool {
        let ranges = services.lazy.filter { service in
            service.mark == mark && service.addresses.contains { $0.contains(address) }
                && (service.inInterface == nil || service.inInterface == inInterface)
        }.flatMap { $0.ports[transport] ?? [] }
        return PortRange.merged(Array(ranges)).contain(ports)
    }
}

extension TranslationCandidate {
    /// By one entry, which no entry before it comes into the way of.
    fileprivate func isCovered(by masquerades: [Masquerade]) -> Bool {
        for masquerade in masquerades where masquerade.sources.contains(where: { $0.overlaps(source) }) {
            if masquerade.to == to {
                if isCovered(by: masquerade) { return true }
            } else if masquerade.mayTranslate(self) {
                return false
            }
        }
        return false
    }

    private func isCovered(by masquerade: Masquerade) -> Bool {
        let hasPorts =
            masquerade.ports.isEmpty
            || !ports.isEmpty && ports.allSatisfy { PortRange.merged(masquerade.ports[$0.key] ?? []).contain($0.value) }
        let there = masquerade.destinations.filter { $0.prefix.family == source.family }
        return hasPorts && masquerade.sources.contains { $0.contains(source) }
            && (there.isEmpty || Set(there) == Set(destinations))
            && (masquerade.outInterface == nil || masquerade.outInterface == outInterface)
    }
}

extension Masquerade {
    /// Whether it may translate some packet of the rule's.
    fileprivate func mayTranslate(_ candidate: TranslationCandidate) -> Bool {
        guard !ports.isEmpty, !candidate.ports.isEmpty else { return true }
        return ports.contains { transport, ranges in
            (candidate.ports[transport] ?? []).contains { mine in ranges.contains { $0.overlaps(mine) } }
        }
    }
}

extension [PortRange] {
    /// Whether every port of the ranges lies in one of these, which are merged.
    fileprivate func contain(_ ranges: [PortRange]) -> Bool {
        ranges.allSatisfy { range in contains { $0.lower <= range.lower && range.upper <= $0.upper } }
    }
}
