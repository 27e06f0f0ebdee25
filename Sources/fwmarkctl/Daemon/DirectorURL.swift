// SPDX-License-Identifier: GPL-2.0-or-later
import ArgumentParser
import NIOCore
import NIOPosix
import Rules
import SystemCalls

/// Where a director answers over TCP: `http://director1:9780`, `director1`, `[2001:db8::1]:9780`.
struct DirectorURL: ExpressibleByArgument, Sendable, Hashable {
    /// The port of `http-listen` in the example that is installed.
    static let defaultPort = 9780

    /// The name or address, without brackets.
    let host: String
    let port: Int

    init?(argument: String) {
        var text = Substring(argument)
        if text.hasPrefix("http://") { text = text.dropFirst("http://".count) }
        if text.hasSuffix("/") { text = text.dropLast() }
        var port: Substring?
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { return nil }
            let rest = text[text.index(after: end)...]
            guard rest.isEmpty || rest.hasPrefix(":") else { return nil }
            port = rest.isEmpty ? nil : rest.dropFirst()
            host = String(text[text.index(after: text.startIndex)..<end])
            guard (try? Address(parsing: host))?.family == .ipv6 else { return nil }
        } else {
            let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            host = String(parts[0])
            port = parts.count == 2 ? parts[1] : nil
            let allowed: (UInt8) -> Bool = { $0 > 0x20 && $0 < 0x7f && !"/@?#:".utf8.contains($0) }
            guard !host.isEmpty, host.utf8.allSatisfy(allowed) else { return nil }
        }
        guard let number = port.map({ UInt16($0) }) ?? UInt16(DirectorURL.defaultPort), number > 0 else { return nil }
        self.port = Int(number)
    }

    /// As a request's `Host` has it.
    var authority: String { (host.contains(":") ? "[\(host)]" : host) + ":\(port)" }
}

extension DirectorURL: CustomStringConvertible {
    var description: String { "http://\(authority)" }
}

extension DirectorURL {
    /// Why no connection came about, for the person at the terminal.
    func failure(connecting error: any Error) -> Failure {
        let reason: String
        switch error as? NIOConnectionError {
        case nil: reason = "\(error)"
        case let error? where error.connectionErrors.isEmpty: reason = "the name \(error.host) has no address"
        case let error?:
            let first = error.connectionErrors.first?.error as? IOError
            reason = first.map { SystemError.text(errno: $0.errnoCode) } ?? "it does not answer"
        }
        return Failure(.notRunning, "\(self) cannot be reached: \(reason)")
    }
}
