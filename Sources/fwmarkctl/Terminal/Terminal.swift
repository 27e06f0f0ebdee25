// SPDX-License-Identifier: GPL-2.0-or-later
import Glibc

/// Where an output stream goes.
struct Terminal {
    private let descriptor: CInt

    static let output = Terminal(descriptor: STDOUT_FILENO)
    static let error = Terminal(descriptor: STDERR_FILENO)

    private init(descriptor: CInt) { self.descriptor = descriptor }

    /// Whether it is a terminal, and not a file or a pipe.
    var isTerminal: Bool { isatty(descriptor) == 1 }

    /// Whether colours are welcome: on a terminal that is not dumb, unless NO_COLOR is set and not empty (no-color.org).
    var takesColour: Bool {
        isTerminal && (Terminal.variable("NO_COLOR") ?? "").isEmpty && Terminal.variable("TERM") != "dumb"
    }

    /// How many columns and rows it has; nil for what is no terminal.
    var size: Size? {
        guard isTerminal else { return nil }
        var size = winsize()
        guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else {
            return Size(columns: 80, rows: 24)
        }
        return Size(columns: Int(size.ws_col), rows: Int(size.ws_row))
    }

    /// What fits on a terminal.
    struct Size {
        var columns: Int
        var rows: Int
    }

    private static func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}

/// Colours, or none (ECMA-48, select graphic rendition).
struct Style {
    let isColoured: Bool

    func bold(_ text: String) -> String { wrap(text, "1") }
    func faint(_ text: String) -> String { wrap(text, "2") }
    func red(_ text: String) -> String { wrap(text, "31") }
    func green(_ text: String) -> String { wrap(text, "32") }
    func yellow(_ text: String) -> String { wrap(text, "33") }

    private func wrap(_ text: String, _ code: String) -> String { isColoured ? "\u{1b}[\(code)m\(text)\u{1b}[0m" : text }
}
