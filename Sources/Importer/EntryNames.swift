// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Rules

/// Names for the entries of a configuration: the comment of the rules where it can be one, else what they are for; each once.
struct EntryNames {
    private var services: Set<String> = []
    private var masquerades: Set<String> = []

    /// The name that all rules of a service have as their comment, unique among services; nil: none.
    mutating func service(ofComments comments: Set<String?>) -> String? {
        EntryNames.comment(comments).map { EntryNames.next($0, &services) }
    }

    /// A name for a service, unique among services.
    mutating func service(_ name: String) -> String { EntryNames.next(name, &services) }

    /// A name for a masquerade, unique among masquerades.
    mutating func masquerade(_ comments: Set<String?>, else name: String) -> String {
        EntryNames.next(EntryNames.comment(comments) ?? name, &masquerades)
    }

    /// Takes a name for a masquerade that another entry brings along; false if it is taken.
    mutating func claimMasquerade(_ name: String) -> Bool { masquerades.insert(name).inserted }

    private static func comment(_ comments: Set<String?>) -> String? {
        guard comments.count == 1, let comment = comments.first ?? nil, (1...60).contains(comment.utf8.count) else { return nil }
        return EntryName.isPlain(comment.utf8) ? comment : nil
    }

    private static func next(_ name: String, _ taken: inout Set<String>) -> String {
        var result = name
        var number = 2
        while !taken.insert(result).inserted {
            result = "\(name)-\(number)"
            number += 1
        }
        return result
    }
}
