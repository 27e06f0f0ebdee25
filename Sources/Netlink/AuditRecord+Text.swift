// SPDX-License-Identifier: GPL-2.0-or-later
import CNetlink
import Rules

extension AuditRecord {
    /// The record in a message of the kernel's; nil for records of other kinds, and for such as cannot be read.
    ///
    /// The text is `audit(1700000000.123:42): table=mangle family=2 … pid=812 … comm="iptables"`: fields between blanks; what the
    /// program could choose is in quotes, or as hexadecimal digits if it has blanks, quotes or bytes that are not ASCII in it
    /// (`audit_log_untrustedstring`, `kernel/audit.c`).
    init?(type: UInt16, text: ArraySlice<UInt8>) {
        let kind = Int32(type)
        guard kind == AUDIT_NETFILTER_CFG || kind == AUDIT_PROCTITLE else { return nil }
        let text = text.prefix { $0 != 0 }
        let opening = Array("audit(".utf8)
        guard text.starts(with: opening), let end = text.firstIndex(of: UInt8(ascii: ")")) else { return nil }
        event = String(decoding: text[text.startIndex + opening.count..<end], as: UTF8.self)
        let fields = Fields(text[(end + 1)...])
        if kind == AUDIT_PROCTITLE {
            guard let title = fields.bytes("proctitle") else { return nil }
            // Arguments end with a NUL each; the last may have been cut.
            let words = title.split(separator: 0, omittingEmptySubsequences: false)
            contents = .commandLine((words.last == [] ? words.dropLast() : words[...]).map { String(keeping: $0) })
        } else {
            guard let table = fields.text("table"), let family = fields.text("family").flatMap({ UInt8($0) }) else { return nil }
            // nf_tables puts its generation after the name, and the chain's after a semicolon: `filter:12;input:3`.
            let name = String(table.prefix { $0 != ":" && $0 != ";" })
            contents = .tableChange(
                TableChange(
                    table: name, family: family, operation: fields.text("op"), pid: fields.text("pid").flatMap { Int32($0) },
                    program: fields.bytes("comm").map { String(keeping: $0) }))
        }
    }

    /// The fields of a record, `name=value` between blanks.
    private struct Fields {
        private var values: [String: ArraySlice<UInt8>] = [:]

        init(_ text: ArraySlice<UInt8>) {
            for word in text.split(whereSeparator: { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\n") }) {
                guard let sign = word.firstIndex(of: UInt8(ascii: "=")) else { continue }
                let name = String(decoding: word[..<sign], as: UTF8.self)
                // Of a name that comes twice the first: the kernel's own fields are before those that a program chose.
                if values[name] == nil { values[name] = word[(sign + 1)...] }
            }
        }

        /// A value as it is written.
        func text(_ name: String) -> String? { values[name].map { String(keeping: $0) } }

        /// A value that a program chose: without its quotes, or from its hexadecimal digits.
        func bytes(_ name: String) -> [UInt8]? {
            guard let value = values[name] else { return nil }
            let quote = UInt8(ascii: "\"")
            if value.count >= 2, value.first == quote, value.last == quote { return Array(value.dropFirst().dropLast()) }
            let digits = value.compactMap { Character(Unicode.Scalar($0)).hexDigitValue }
            guard digits.count == value.count, digits.count.isMultiple(of: 2), !digits.isEmpty else { return nil }
            return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] * 16 + digits[$0 + 1]) }
        }
    }
}
