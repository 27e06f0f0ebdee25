import ConfigurationFile
import Rules

extension ImportedRules {
    /// The configuration file, with everything that is not in it as remarks.
    package var text: String {
        var lines = ["# Made by `fwmarkctl import`. Give the services names that say what they are."]
        if configuration.daemon.hookPosition == .last {
            lines.append("# The jump goes to the end of its chains: rules that stay where they are decide before.")
        }
        let body = configuration.yaml
        lines.append(body.isEmpty ? "# No rule was found that fwmarkd could keep." : "\n" + body)
        var text = lines.joined(separator: "\n")
        if !text.hasSuffix("\n") { text += "\n" }
        let remarks = remarks
        return remarks.isEmpty
            ? text : text + "\n" + remarks.map { $0.isEmpty ? "#" : "# \(printable($0))" }.joined(separator: "\n") + "\n"
    }

    private var remarks: [String] {
        var lines: [String] = []
        let count = leftovers.reduce(0) { $0 + $1.rules.count }
        if count > 0 {
            lines.append("Not imported: \(count) \(count == 1 ? "rule" : "rules").")
            for leftover in leftovers {
                lines += ["", "\(leftover.reason.prefix(1).uppercased() + leftover.reason.dropFirst()):"]
                lines += leftover.rules.map { "    \($0.command)" }
            }
        }
        if !strayLines.isEmpty {
            lines += [lines.isEmpty ? nil : "", "Lines that no iptables-save writes:"].compactMap { $0 }
            lines += strayLines.map { "    \($0.number): \($0.text)" }
        }
        if !untouched.isEmpty {
            let tables = untouched.sorted { ($0.key.family, $0.key.name) < ($1.key.family, $1.key.name) }
                .map { "\($0.value) of \($0.key.family) \($0.key.name)" }
            lines += [lines.isEmpty ? nil : "", "Not looked at: rules of tables that neither mark nor translate sources"].compactMap
            { $0 }
            lines.append("    \(tables.joined(separator: ", "))")
        }
        return lines
    }

    /// What ends a line, or is no character, would end the remark or be no text at all.
    private func printable(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map {
                    ($0.value < 0x20 && $0 != "\t") || $0.properties.isWhitespace && $0.value > 0x7e
                        || (0x7f...0x9f).contains($0.value) || $0.value == 0xfeff ? "\u{fffd}" : $0
                }))
    }
}
