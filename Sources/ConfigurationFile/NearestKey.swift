/// The known key that is nearest to a misspelt one; nil if none is near.
///
/// Near means: at most a third of the letters have to be added, dropped, changed or swapped with their neighbour.
func nearest(_ key: String, _ known: [String]) -> String? {
    let distances = known.map { ($0, editDistance(Array(key.utf8.prefix(64)), Array($0.utf8))) }
    guard let best = distances.min(by: { $0.1 < $1.1 }), best.1 <= max(1, best.0.utf8.count / 3) else { return nil }
    return best.0
}

/// How many letters have to be added, dropped, changed or swapped with their neighbour (optimal string alignment distance).
private func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
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
