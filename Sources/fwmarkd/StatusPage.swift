// SPDX-License-Identifier: GPL-2.0-or-later
import HTTPTypes
import Hummingbird
import NIOCore

/// The status page: one HTML file in the program.
///
/// Its style and its script are in the file itself. The Content-Security-Policy lets them run by a nonce that is new with every
/// answer, and nothing else: no inline event handler, no style attribute, nothing from elsewhere. A nonce in place of a hash needs
/// no digest of the file, and in place of separate files keeps the page in one piece.
struct StatusPage: Sendable {
    /// The page's bytes between the places where a nonce belongs.
    private let parts: [[UInt8]]

    /// The page in the program.
    static let embedded = StatusPage(PackageResources.page_html)

    /// A page whose `<style>` and `<script>` have no attributes.
    init(_ html: [UInt8]) {
        var parts: [[UInt8]] = [[]]
        var rest = html[...]
        while let first = rest.first {
            if let tag = ["<style", "<script"].first(where: { rest.starts(with: ($0 + ">").utf8) }) {
                parts[parts.count - 1] += tag.utf8
                parts.append([])
                rest = rest.dropFirst(tag.utf8.count)
            } else {
                parts[parts.count - 1].append(first)
                rest = rest.dropFirst()
            }
        }
        self.parts = parts
    }

    /// The page under a new nonce.
    func response() -> Response {
        let nonce = StatusPage.nonce()
        let attribute = Array(" nonce=\"\(nonce)\"".utf8)
        let policy = [
            "default-src 'none'", "script-src 'nonce-\(nonce)'", "style-src 'nonce-\(nonce)'", "connect-src 'self'",
            "img-src data:",
            "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
        ]
        return Response(
            status: .ok,
            headers: [.contentType: "text/html; charset=utf-8", .contentSecurityPolicy: policy.joined(separator: "; ")],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: parts.joined(separator: attribute))))
    }

    /// 128 random bits in hexadecimal.
    private static func nonce() -> String {
        let bits = UInt128.random(in: 0...UInt128.max)
        let digits = String(bits, radix: 16)
        return String(repeating: "0", count: 32 - digits.count) + digits
    }
}
