// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Rules

extension ImportedRules {
    /// The configuration as a file, and as comments what is not in it, with the reasons.
    package var text: String {
        var lines = ["# Made by `fwmarkctl import`. Give the services names that say what they are."]
        if configuration.daemon.hookPosition == .last {
            lines.append("# fwmarkd's jumps go to the end of their chains: rules that stay where they are decide before.")
        }
        let isEmpty = configuration.ftp.isEmpty && configuration.services.isEmpty && configuration.masquerades.isEmpty
        if isEmpty { lines.append("# No rule was found that fwmarkd could take the place of.") }
        lines += ["", configuration.yaml]
        let text = lines.joined(separator: "\n")
        let comments = comments
        return comments.isEmpty ? text : text + "\n" + comments.map { $0.isEmpty ? "#" : "# \($0)" }.joined(separator: "\n") + "\n"
    }

    private var comments: [String] {
        var sections: [[String]] = []
        let count = leftovers.reduce(0) { $0 + $1.rules.count }
        if count > 0 {
            var lines = ["Not imported: \(count) \(count == 1 ? "rule" : "rules")."]
            for leftover in leftovers {
                lines += ["", "\(leftover.reason.prefix(1).uppercased() + leftover.reason.dropFirst()):"]
                lines += leftover.rules.map { "    \($0.command)" }
            }
            sections.append(lines)
        }
        if !strayLines.isEmpty {
            sections.append(["Lines that are not rules:"] + strayLines.map { "    \($0.number): \($0.text)" })
        }
        if !untouched.isEmpty {
            let tables = untouched.sorted { $0.key < $1.key }.map { "\($0.value) of \($0.key)" }
            sections.append([
                "Not looked at, because these tables neither mark nor translate sources: rules",
                "    \(tables.joined(separator: ", "))",
            ])
        }
        return Array(sections.joined(separator: [""]))
    }
}
