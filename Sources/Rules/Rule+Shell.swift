// SPDX-License-Identifier: GPL-2.0-or-later
extension Rule {
    /// The rule as options of iptables for a shell.
    package var shellSyntax: String {
        var bare = self
        bare.comment = nil
        guard let comment else { return bare.iptablesSyntax }
        bare.target = .none
        return [bare.iptablesSyntax, "-m comment --comment \(ChainName.shellWord(comment.utf8))", target.iptablesSyntax]
            .filter { !$0.isEmpty }.joined(separator: " ")
    }
}

extension ChainName {
    /// The name as one word for a shell.
    package var shellWord: String { ChainName.shellWord(bytes) }

    /// The bytes as one word for a shell: bare, in single quotes, or as `$'…'` where they are not printable.
    package static func shellWord(_ bytes: some Sequence<UInt8>) -> String {
        let bytes = Array(bytes)
        let bare = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:/+,@%".utf8)
        if !bytes.isEmpty, bytes.allSatisfy(bare.contains) { return String(decoding: bytes, as: UTF8.self) }
        let text = printable(bytes)
        if text.utf8.elementsEqual(bytes) {
            return "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
        }
        let escaped = bytes.map { byte in
            (0x20...0x7e).contains(byte) && byte != UInt8(ascii: "'") && byte != UInt8(ascii: "\\")
                ? String(UnicodeScalar(byte)) : "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }
        return "$'" + escaped.joined() + "'"
    }
}
