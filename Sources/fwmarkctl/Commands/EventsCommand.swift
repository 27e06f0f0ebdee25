// SPDX-License-Identifier: GPL-2.0-or-later
import API
import ArgumentParser

struct EventsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "events",
        abstract: "Print what happened to the rules since the daemon started.",
        discussion: """
            With --follow the command goes on, and prints what happens as it happens, until it is interrupted or the daemon \
            stops. With --json each event is a line of JSON.

            Exit status: 0 printed, 1 an error, 4 the daemon is not running, or went away.

            Example:
              fwmarkctl events --follow
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var output: JSONOption

    @Flag(name: .shortAndLong, help: "Keep printing events as they happen.")
    var follow = false

    func run() async throws {
        let style = options.style
        try await DaemonClient(.reading, at: options.socket).follow(Endpoint.events + (follow ? "?follow=true" : "")) { line in
            if output.json {
                try StandardOutput.write(line + [UInt8(ascii: "\n")])
            } else {
                try StandardOutput.write(try EventsCommand.text(JSON.decode(Event.self, from: JSON.printableStrings(line)), style))
            }
        }
    }

    /// The event in words: time, kind and message, the changes below it.
    static func text(_ event: Event, _ style: Style) -> String {
        let kind = event.kind.rawValue
        let coloured =
            switch event.kind {
            case .failed, .reloadRefused, .fallback: style.red(kind)
            case .drift, .contended, .missed: style.yellow(kind)
            case .applied, .repaired, .calm: style.green(kind)
            case .started, .stopping: style.bold(kind)
            }
        let padding = String(repeating: " ", count: max(0, widestKind - kind.count))
        var text = "\(style.faint(HumanText.time(event.time)))  \(coloured)\(padding)  \(event.message)\n"
        for line in event.lines {
            text += "    " + (line.hasPrefix("+") ? style.green(line) : line.hasPrefix("-") ? style.red(line) : line) + "\n"
        }
        return text
    }

    private static let widestKind = Event.Kind.allCases.map(\.rawValue.count).max() ?? 0
}
