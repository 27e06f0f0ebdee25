// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Judge
import Planner
import RandomConfigurations
import Rules
import Testing

@Suite("Plain order and tree do to every packet what the configuration says")
struct EquivalenceTests {
    /// How many configurations a case tries.
    private static let runs: UInt64 = 60

    @Test("Small configurations with every word", arguments: 0..<8 as Range<UInt64>)
    func small(_ part: UInt64) throws {
        for seed in part * EquivalenceTests.runs..<(part + 1) * EquivalenceTests.runs {
            var random = RandomConfiguration(seed: seed)
            compare(random.configuration(services: 8, masquerades: 5, allowsConflicts: false), "seed \(seed)")
        }
    }

    @Test("Configurations of addresses, ports and one interface", arguments: 0..<8 as Range<UInt64>)
    func simple(_ part: UInt64) throws {
        for seed in part * EquivalenceTests.runs..<(part + 1) * EquivalenceTests.runs {
            var random = RandomConfiguration(seed: seed, words: .plain)
            compare(random.configuration(services: 12, masquerades: 6, allowsConflicts: false), "seed \(seed)")
        }
    }

    @Test("Larger ones, with several levels of chains", arguments: 10_000..<10_006 as Range<UInt64>)
    func large(_ seed: UInt64) throws {
        var random = RandomConfiguration(seed: seed, words: seed % 2 == 0 ? .plain : .all)
        compare(random.configuration(services: 26, masquerades: 9, allowsConflicts: false), "seed \(seed)")
    }

    @Test("Many services on a few addresses, distinguished by port", arguments: 20_000..<20_004 as Range<UInt64>)
    func crowded(_ seed: UInt64) throws {
        var random = RandomConfiguration(seed: seed, isCrowded: true, words: .plain)
        compare(random.configuration(services: 160, masquerades: 0, allowsConflicts: false), "seed \(seed)")
    }

    private func compare(_ configuration: Configuration, _ comment: Comment) {
        let plans = [Planner.Layout.plain, .tree].map { Planner.plan(for: configuration, layout: $0) }
        #expect(plans[0].ruleset.tables.keys == plans[1].ruleset.tables.keys, comment)
        let judges = plans.map { Judge($0) }
        var meaning = Meaning(configuration: configuration)
        for id in TableID.ours {
            let rules = plans.flatMap { ($0.ruleset.tables[id] ?? []).flatMap(\.rules) }
            for (hook, _) in id.table.entries {
                var differences = 0
                BoundaryPackets(id, hook, rules).forEach({ meaning.entries($0, $1) }) { packet in
                    let wanted = Outcome(&meaning, packet, id.table, hook)
                    for (plan, judge) in zip(plans, judges) {
                        let got = Outcome(judge.judge(packet, at: hook, only: id.table), plan.owners, id)
                        guard got != wanted else { continue }
                        differences += 1
                        if differences == 1 { Issue.record("\(comment): \(id) \(hook): \(packet): wanted \(wanted), got \(got)") }
                    }
                }
            }
        }
    }
}

/// What a table does to a packet.
private struct Outcome: Equatable {
    var translation = Judgement.Translation.none
    /// Nil: not known, which nothing here is.
    var mark: UInt32?
    var connectionMark: UInt32?
    var hasHelper = false
    /// Whose rules did something, each once for each rule, in the order of names: so counters are right.
    var names: [String] = []

    init(_ judgement: Judgement, _ owners: Owners, _ id: TableID) {
        translation = judgement.translation.value ?? .source(SourceRange(Address(ipv4: 0)))
        mark = judgement.mark.value
        connectionMark = judgement.connectionMark.value
        for step in judgement.steps {
            switch step.rule.target {
            case .helper(let name): hasHelper = name == "ftp"
            case .mark, .masquerade, .sourceNAT, .accept: break
            default: continue
            }
            names.append(owners.owner(in: id, chain: step.chain, number: step.number) ?? "nobody")
        }
        names.sort()
        if id.table == .raw { names = [] }
    }

    init(_ meaning: inout Meaning, _ packet: JudgedPacket, _ table: Table, _ hook: Hook) {
        mark = packet.mark.value
        connectionMark = packet.connectionMark.value
        switch table {
        case .raw: hasHelper = meaning.hasHelper(packet)
        case .nat:
            guard let translation = meaning.translation(packet) else { break }
            names = [translation.name]
            let options = TranslationOptions(isFullyRandom: translation.isRandom)
            switch translation.to {
            case .masquerade: self.translation = .masquerade(options)
            case .addresses(let first, let last): self.translation = .source(SourceRange(first, last, options: options))
            case .unchanged: break
            case .virtualAddresses(let addresses, _):
                if let address = addresses.first(where: { $0.family == packet.family }) {
                    self.translation = .source(SourceRange(address, options: options))
                }
            }
        default:
            var (own, ofConnection) = (packet.mark.value, packet.connectionMark.value)
            for service in meaning.services(packet, at: hook) {
                own = own & ~service.mark.mask | service.mark.value
                if service.savesMark { ofConnection = ofConnection & ~service.mark.mask | service.mark.value }
                names.append(service.name)
            }
            (mark, connectionMark) = (own, ofConnection)
            names.sort()
        }
    }
}
