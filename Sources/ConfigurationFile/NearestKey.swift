// SPDX-License-Identifier: GPL-2.0-or-later
/// The known word that is nearest to a misspelt one, as its index; nil if none is near.
///
/// Near means: at most a third of the letters have to be added, dropped, changed or swapped with their neighbour.
func nearest(_ key: String, _ known: [StaticString]) -> Int? {
    // As other programs write words: "in_interface", "TCP", "ports".
    let key = key.utf8.count > 64 ? key : key.lowercased().replacing("_", with: "-")
    if let word = otherWords[key], let index = known.firstIndex(where: { "\($0)" == word }) { return index }
    var best: (index: Int, distance: Int)?
    let letters = Array(key.utf8.prefix(64))
    for (index, word) in known.enumerated() {
        let most = min(max(1, word.utf8CodeUnitCount / 3), best.map { $0.distance - 1 } ?? .max)
        // What differs in length by more cannot be near.
        guard abs(word.utf8CodeUnitCount - letters.count) <= most else { continue }
        let distance = editDistance(letters, UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount))
        if distance <= most { best = (index, distance) }
    }
    return best?.index
}

/// The same, among words that are not known when the program is built.
package func nearest(_ word: String, among known: [String]) -> String? {
    let letters = Array(word.utf8.prefix(64))
    let distances = known.map { (word: $0, distance: Array($0.utf8).withUnsafeBufferPointer { editDistance(letters, $0) }) }
    guard let best = distances.min(by: { $0.distance < $1.distance }) else { return nil }
    return best.distance <= max(1, best.word.utf8.count / 3) ? best.word : nil
}

/// How many letters have to be added, dropped, changed or swapped with their neighbour (optimal string alignment distance).
private func editDistance(_ left: [UInt8], _ right: UnsafeBufferPointer<UInt8>) -> Int {
    var beforePrevious: [Int] = []
    var previous = Array(0...right.count)
    for i in left.indices {
        var current = [i + 1]
        for j in right.indices {
            let change = previous[j] + (left[i] == right[j] ? 0 : 1)
            var best = min(previous[j + 1] + 1, current[j] + 1, change)
            if i > 0, j > 0, left[i] == right[j - 1], left[i - 1] == right[j] { best = min(best, beforePrevious[j - 1] + 1) }
            current.append(best)
        }
        beforePrevious = previous
        previous = current
    }
    return previous[right.count]
}

/// What people call things who know them from elsewhere.
private let otherWords = [
    "port": "tcp", "ports": "tcp", "tcp-port": "tcp", "tcp-ports": "tcp", "udp-port": "udp", "udp-ports": "udp", "dport": "tcp",
    "sport": "tcp", "vip": "addresses", "vips": "addresses", "virtual-address": "addresses", "virtual-addresses": "addresses",
    "ip": "addresses", "fwmark": "mark", "realservers": "real-servers", "mac": "source-macs", "macs": "source-macs",
    "dst": "destinations", "src": "sources", "snat": "masquerade", "nat": "masquerade",
]
