// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Rules

/// A ruleset as the commands of a shell script, as a person would type them.
enum IptablesCommands {
    /// The script for the families. It makes the chains, fills them, and leads packets into them last.
    static func render(_ ruleset: Ruleset, _ families: [Family], hookPosition: HookPosition) -> String {
        var text = "#!/bin/sh\n# What fwmarkd wants, for a kernel that has none of it yet.\nset -e\n"
        for id in TableID.ours where families.contains(id.family) {
            guard let chains = ruleset.tables[id] else { continue }
            let command = "\(id.family.command)-legacy -w -t \(id.table)"
            for chain in chains { text += "\(command) -N \(chain.name)\n" }
            for chain in chains {
                for rule in chain.rules { text += "\(command) -A \(chain.name) \(shellSyntax(rule))\n" }
            }
            let verb = hookPosition == .first ? "-I" : "-A"
            for (hook, jump) in ruleset.jumps(id) { text += "\(command) \(verb) \(hook.chain) \(shellSyntax(jump))\n" }
        }
        return text
    }

    /// The rule's words as the shell takes them. iptables' own quotes mean the same to the shell, unless something in the rule
    /// is special to it.
    private static func shellSyntax(_ rule: Rule) -> String {
        let syntax = rule.iptablesSyntax
        let isSpecial = syntax.utf8.contains { byte in
            !isPlain(byte) && byte != UInt8(ascii: " ") && byte != UInt8(ascii: "\"")
        }
        return isSpecial ? words(syntax).map(quoted).joined(separator: " ") : syntax
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."), UInt8(ascii: ","), UInt8(ascii: ":"),
            UInt8(ascii: "/"), UInt8(ascii: "="), UInt8(ascii: "@"), UInt8(ascii: "%"), UInt8(ascii: "!"):
            true
        default: false
        }
    }

    /// The words of a line as iptables-restore splits it: at spaces outside double quotes, in which `\` escapes.
    private static func words(_ line: String) -> [String] {
        var words: [String] = []
        var word = ""
        var isQuoted = false
        var isEscaped = false
        for character in line {
            if isEscaped {
                word.append(character)
                isEscaped = false
            } else if isQuoted, character == "\\" {
                isEscaped = true
            } else if character == "\"" {
                isQuoted.toggle()
            } else if character == " ", !isQuoted {
                words.append(word)
                word = ""
            } else {
                word.append(character)
            }
        }
        return words + [word]
    }

    /// The word for the shell: in single quotes unless it is plain.
    private static func quoted(_ word: String) -> String {
        if !word.isEmpty, word.utf8.allSatisfy(isPlain) { return word }
        return "'" + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }
}
