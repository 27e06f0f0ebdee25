// SPDX-License-Identifier: GPL-2.0-or-later
import API

extension Reconciliation {
    /// Prints what was changed: as JSON, or the lines and their sum, or `nothing` where nothing was. Of very many changes the
    /// first are shown; `plan` shows all before they are made.
    func print(_ options: GlobalOptions, asJSON: Bool, nothing: String) throws(Failure) {
        var shown = self
        shown.changes = Array(changes.prefix(Reconciliation.changeLimit))
        if asJSON {
            try StandardOutput.write(JSON.encodePretty(shown) + [UInt8(ascii: "\n")])
            return
        }
        let report = ChangeReport(shown, isApplied: true)
        let summary = report.count == 0 ? nothing : "\(report.summary), in \(HumanText.oneDecimal(milliseconds)) ms"
        try StandardOutput.write((report.lines(options.style) + [summary, ""]).joined(separator: "\n"))
        StandardError.write(warnings.map { "fwmarkctl: warning: \($0)" })
    }
}
