// SPDX-License-Identifier: GPL-2.0-or-later
import API
import ConfigurationFile
import Explanations
import Judge
import NamespaceSupport
import PacketSupport
import Planner
import Rules
import Testing

@Suite("What explain --kernel answers, judged by packets", .enabled(if: NetworkNamespace.isAvailable, "needs root"))
struct ExplanationTests {
    /// What was compared.
    private struct Tally {
        var (all, unknown, marked, translated, dropped) = (0, 0, 0, 0, 0)
    }

    @Test(
        "Mark, source and drop are the kernel's, through random tables of other programs with ours in them",
        arguments: Family.allCases)
    func answers(_ family: Family) async throws {
        let stage = Stage(family: family, isTracking: true)
        let tally = try await NetworkNamespace.run { namespace in
            let director = try Director(family, in: namespace)
            let own = try stage.ownConfiguration()
            let plan = Planner.plan(for: own)
            var tally = Tally()
            for round in rounds(12, 120) {
                var foreign = ForeignTables(numbers: stage.numbers(20_000 + round), family: family)
                // FORWARD is not on the way that is asked about.
                foreign.hooks = [.prerouting, .input, .output]
                let dump = foreign.dump(rules: 30)
                try namespace.restore(dump, family, tracking: true)
                _ = try await namespace.reconcile(to: own)
                let tables = try namespace.tables(family)
                var trips = Trips(numbers: foreign.numbers, family: family, isRedirected: dump.contains("DNAT"))
                let sent = try trips.some(90)
                for (trip, fate) in zip(sent, try director.fates(of: sent)) {
                    guard let question = Question(trip, tables) else { continue }
                    let explanation = Explanation(question.asked, kernel: tables, LoadedConfiguration(configuration: own), plan)
                    let difference = question.difference(explanation, fate, director, &tally)
                    #expect(difference == nil, "round \(round): \(trip)\n\(fate)\n\(explanation)\n\(dump)")
                }
            }
            return tally
        }
        print(
            "explain --kernel, \(family): \(tally.all) packets, \(tally.unknown) unknown, \(tally.marked) marked, "
                + "\(tally.translated) translated, \(tally.dropped) dropped")
        #expect(tally.unknown * 10 <= tally.all && tally.marked * 4 > tally.all)
        #expect(tally.translated * 50 > tally.all && tally.dropped > 0)
    }

    /// A question about a packet, with the interface that routing has for it.
    private struct Question {
        let asked: PacketQuestion
        private let trip: Trip
        private let isLocal: Bool

        /// Nil for packets that come to another hook than those that can be asked for.
        init?(_ trip: Trip, _ tables: [TableID: [Chain]]) {
            // Where it is routed to depends on translations of its destination, which the kernel has made by then.
            let first: Hook = trip.way == .own ? .output : .prerouting
            let judgement = Judge(tables: tables).judge(trip.packet, at: first)
            let packet = trip.packet
            guard let source = packet.source, let before = packet.destination else { return nil }
            let range = packet.family == .ipv4 ? "10.1.2.3" : "2001:db8:a:1::3"
            let destination = judgement.destination ?? (try? Address(parsing: range)) ?? before
            isLocal = trip.way != .own && Trips.isLocal(destination)
            let values: [String: String?] = [
                "protocol": packet.protocolNumber.map { "\($0)" }, "source": Question.end(source, packet.sourcePort),
                "destination": Question.end(before, packet.destinationPort),
                "in-interface": trip.way == .own ? nil : packet.inInterface,
                "out-interface": isLocal ? nil : Trips.outgoing(destination),
                "hook": trip.way == .own ? "output" : isLocal ? "input" : "prerouting", "kernel": "true",
            ]
            guard let asked = try? PacketQuestion({ values[$0] ?? nil }) else { return nil }
            (self.asked, self.trip) = (asked, trip)
        }

        private static func end(_ address: Address, _ port: UInt16?) -> String {
            guard let port else { return "\(address)" }
            return address.family == .ipv6 ? "[\(address)]:\(port)" : "\(address):\(port)"
        }

        /// What the answer says that the kernel does not do; nil where they agree.
        func difference(_ answer: Explanation, _ fate: Fate, _ director: Director, _ tally: inout Tally) -> String? {
            tally.all += 1
            let isDropped = answer.mark.verdict == .dropped || !isLocal && answer.source.verdict == .dropped
            // Without ports two connections may not have one address.
            if fate.isDropped, trip.packet.sourcePort == nil { return nil }
            if isDropped || fate.isDropped {
                if fate.isDropped { tally.dropped += 1 }
                let isOpen = answer.mark.verdict == .unknown || !isLocal && answer.source.verdict == .unknown
                if isOpen { tally.unknown += 1 }
                return isDropped == fate.isDropped || isOpen ? nil : "dropped"
            }
            if fate.mark != 0 { tally.marked += 1 }
            var isUnknown = false
            switch answer.mark.verdict {
            case .unknown: isUnknown = true
            default: if (answer.mark.value ?? 0) != fate.mark { return "mark" }
            }
            defer { if isUnknown { tally.unknown += 1 } }
            guard !isLocal, let source = fate.source else { return nil }
            if source != trip.packet.source { tally.translated += 1 }
            switch answer.source.verdict {
            case .unknown: isUnknown = true
            case .unchanged: if source != trip.packet.source { return "source" }
            case .masquerade: if source != asked.outInterface.flatMap({ director.addresses[$0] }) { return "masquerade" }
            case .translated:
                let ends = (answer.source.to ?? "").split(separator: "-").compactMap { try? Address(parsing: String($0)) }
                guard let first = ends.first, let last = ends.last, first <= source, source <= last else { return "translated" }
            case .dropped: return "dropped"
            }
            return nil
        }
    }
}
