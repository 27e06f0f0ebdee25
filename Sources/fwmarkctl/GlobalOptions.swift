// SPDX-License-Identifier: GPL-2.0-or-later
import API
import ArgumentParser
import ConfigurationFile
import SystemCalls

/// The options that every command takes.
struct GlobalOptions: ParsableArguments {
    static let defaultConfig = "/etc/fwmarkd/fwmarkd.yaml"

    @Option(
        help: ArgumentHelp("The configuration file; conf.d/*.yaml beside it belongs to it.", valueName: "path"), completion: .file()
    )
    var config = GlobalOptions.defaultConfig

    @Option(
        help: ArgumentHelp("The daemon's socket, or its runtime directory with both sockets.", valueName: "path"),
        completion: .file())
    var socket = Endpoint.runtimeDirectory

    @Flag(name: .customLong("no-color"), help: "No colours on a terminal; so does a variable NO_COLOR that is not empty.")
    var noColor = false

    /// The arguments with the options before the command moved after it, where ArgumentParser looks for them.
    static func behindCommand(_ arguments: [String]) -> [String] {
        var index = 0
        while index < arguments.count {
            switch arguments[index] {
            case "--config", "--socket": index += 2
            case "--no-color", "--json": index += 1
            case let option where option.hasPrefix("--config=") || option.hasPrefix("--socket="): index += 1
            case let other:
                guard !other.hasPrefix("-") else { return arguments }
                return [other] + arguments[..<index] + arguments[(index + 1)...]
            }
        }
        return arguments
    }

    /// Reads the configuration.
    ///
    /// - Throws: a failure with a line for each error, in the form that editors jump from.
    func load() throws(Failure) -> LoadedConfiguration {
        Memory.expect(fileAt: config)
        do {
            return try Configuration.load(path: config)
        } catch {
            throw Failure(.failure, lines: error.lines)
        }
    }

    /// How output to standard output is to look.
    var style: Style { Style(isColoured: !noColor && Terminal.output.takesColour) }
}

/// `--json`, for commands that have something to print.
struct JSONOption: ParsableArguments {
    @Flag(help: "Print JSON.")
    var json = false
}
