// SPDX-License-Identifier: GPL-2.0-or-later
import API

/// Packets and bytes per second between two looks.
struct Rates {
    /// What a service or masquerade has seen in a second.
    struct Rate {
        var packets: Double
        var bytes: Double
    }

    private(set) var services: [String: Rate] = [:]
    private(set) var masquerades: [String: Rate] = [:]

    /// No rates yet.
    init() {}

    /// The rates between two looks that are that far apart. Counters that went back, since rules were made again, give none.
    init(from earlier: Status, to later: Status, in time: Duration) {
        let seconds = Double(time.components.seconds) + Double(time.components.attoseconds) / 1e18
        func rates(
            _ earlier: some Sequence<(String, UInt64, UInt64)>, _ later: some Sequence<(String, UInt64, UInt64)>
        ) -> [String: Rate] {
            let before = Dictionary(earlier.map { ($0.0, ($0.1, $0.2)) }, uniquingKeysWith: { first, _ in first })
            var rates: [String: Rate] = [:]
            for (name, packets, bytes) in later {
                guard let before = before[name], packets >= before.0, bytes >= before.1, seconds > 0 else { continue }
                rates[name] = Rate(packets: Double(packets - before.0) / seconds, bytes: Double(bytes - before.1) / seconds)
            }
            return rates
        }
        services = rates(
            earlier.services.map { ($0.name, $0.packets, $0.bytes) }, later.services.map { ($0.name, $0.packets, $0.bytes) })
        masquerades = rates(
            earlier.masquerades.map { ($0.name, $0.packets, $0.bytes) }, later.masquerades.map { ($0.name, $0.packets, $0.bytes) })
    }
}
