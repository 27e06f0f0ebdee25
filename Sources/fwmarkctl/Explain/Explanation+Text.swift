// SPDX-License-Identifier: GPL-2.0-or-later
import API
import Rules

extension Explanation {
    /// The answer in lines: the mark and the rules that led to it, then the source.
    func text(_ style: Style) -> String {
        var lines = [style.bold("mark") + "    " + mark.text(style)]
        lines += steps.filter { $0.table != Table.nat.rawValue }.flatMap { $0.lines(style) }
        lines.append(style.bold("source") + "  " + source.text(style))
        lines += steps.filter { $0.table == Table.nat.rawValue }.flatMap { $0.lines(style) }
        lines += notes.map { style.yellow("note") + "    " + $0 }
        return lines.joined(separator: "\n") + "\n"
    }
}

extension MarkOutcome {
    fileprivate func text(_ style: Style) -> String {
        let because = reason.map { ", \($0)" } ?? ""
        switch verdict {
        case .marked:
            let number = value ?? 0
            return style.green("\(number)") + " (0x\(String(number, radix: 16)))" + (service.map { ", by \($0)" } ?? because)
        case .unmarked: return "none" + because
        case .dropped: return style.red("the packet is dropped") + because
        case .unknown: return style.yellow("unknown") + because
        }
    }
}

extension SourceOutcome {
    fileprivate func text(_ style: Style) -> String {
        let because = translation.map { ", by \($0)" } ?? reason.map { ", \($0)" } ?? ""
        switch verdict {
        case .unchanged: return "unchanged" + because
        case .masquerade: return style.green("masquerade") + ": an address of the interface that it leaves by" + because
        case .translated: return style.green(to ?? "") + because
        case .dropped: return style.red("the packet is dropped") + because
        case .unknown: return style.yellow("unknown") + because
        }
    }
}

extension ExplainedStep {
    fileprivate func lines(_ style: Style) -> [String] {
        let doubt = matches ? "" : style.yellow(" (may match)")
        var text = "        \(hook == chain ? "" : "\(hook) → ")\(chain) \(number): \(rule)\(doubt)"
        if let owner { text += "\n            \(owner)" + (position.map { ", \($0)" } ?? "") }
        if isForeign { text += "\n            another program's rule" }
        return text.split(separator: "\n").map(String.init)
    }
}
