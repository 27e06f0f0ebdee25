// SPDX-License-Identifier: GPL-2.0-or-later
/// The words of a mapping that were there, each with its line.
struct Words<Key: Word> {
    private var lines = InlineArray<16, Int32>(repeating: 0)
    private var last = -1
    /// How many unknown ones there were.
    private var unknownCount = 0
    /// What the first few unknown ones are likely to be, a bit a word: such a word is not missing as well.
    private var meant: UInt16 = 0

    func has(_ key: Key) -> Bool { lines[key.rawValue] != 0 }

    /// The line of the word; nil if it was not there yet.
    func line(of key: Key) -> Int32? { has(key) ? lines[key.rawValue] : nil }

    mutating func add(_ key: Key, _ place: Place) { lines[key.rawValue] = place.line }

    /// Whether one more unknown word is looked at.
    var wantsUnknown: Bool { unknownCount < 16 }

    mutating func addUnknown(_ text: String) {
        guard wantsUnknown else { return }
        unknownCount += 1
        if let index = nearest(text, Key.words) { meant |= 1 << index }
    }

    /// Whether an unknown word is likely to be a misspelt one of these.
    func isMeant(_ key: Key) -> Bool { meant >> key.rawValue & 1 == 1 || !wantsUnknown }

    /// The word of that text. Most mappings have their words in the same order, so the next one is tried first.
    mutating func find(_ text: ScalarText) -> Key? {
        let words = Key.words
        for step in 1...words.count {
            let index = (last + step) % words.count
            if text == words[index] {
                last = index
                return Key(rawValue: index)
            }
        }
        return nil
    }

    /// What is said about an unknown word.
    static func explain(unknown text: String) -> String {
        if let reason = removedWords[text], Key.self == SettingWord.self { return reason }
        if let index = nearest(text, Key.words) { return "unknown key; the nearest known one is \(Key.words[index])" }
        return "unknown key; known here: \(Key.words.list)"
    }
}

/// Words of earlier versions, and what is in their place.
private let removedWords = [
    "resync-interval": "unknown key: every comparison is a full one now, and check-interval says how often there is one",
    "metrics-listen": "unknown key: metrics are served together with the status page now, where http-listen says",
]

extension [StaticString] {
    /// The words with commas between them.
    var list: String { map { "\($0)" }.joined(separator: ", ") }
}

/// What is at the top of a file.
enum SectionWord: Int, Word, CaseIterable {
    case daemon, ftp, services, masquerade
    static let words: [StaticString] = ["daemon", "ftp", "services", "masquerade"]
}

/// The settings of `daemon:`.
enum SettingWord: Int, Word {
    case onDrift, onStop, hookPosition, checkInterval, lockTimeout, httpListen
    static let words: [StaticString] = ["on-drift", "on-stop", "hook-position", "check-interval", "lock-timeout", "http-listen"]
}

/// The words of an entry of `ftp:`.
enum FTPWord: Int, Word {
    case name, mark, addresses, controlPort, passivePorts, forwarding, active
    static let words: [StaticString] = [
        "name", "mark", "addresses", "control-port", "passive-ports", "forwarding", "active",
    ]
}

/// The words of `active:`.
enum ActiveWord: Int, Word {
    case realServers, dataPort, to
    static let words: [StaticString] = ["real-servers", "data-port", "to"]
}

/// The words of an entry of `services:`.
enum ServiceWord: Int, Word {
    case name, mark, addresses, tcp, udp, sctp, protocols, sources, sourceMACs, inInterface, hooks
    static let words: [StaticString] = [
        "name", "mark", "addresses", "tcp", "udp", "sctp", "protocols", "sources", "source-macs", "in-interface", "hooks",
    ]
}

/// The words of an entry of `masquerade:`.
enum MasqueradeWord: Int, Word {
    case name, sources, services, tcp, udp, sctp, destinationTCP, destinationUDP, destinationSCTP, destinations, outInterface, to,
        random
    static let words: [StaticString] = [
        "name", "sources", "services", "tcp", "udp", "sctp", "destination-tcp", "destination-udp", "destination-sctp",
        "destinations",
        "out-interface", "to", "random",
    ]
}
