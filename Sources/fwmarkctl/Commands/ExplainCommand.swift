// SPDX-License-Identifier: GPL-2.0-or-later
import API
import ArgumentParser
import ConfigurationFile
import Explanations
import Netfilter
import Planner
import Rules

struct ExplainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Say which mark and which source translation a packet would get, and by what.",
        discussion: """
            By default by the rules that the file asks for, and no others. With --kernel by the whole hook as it is in the kernel, \
            other programs' rules included: the first line is what the kernel would do. What depends on something that is not \
            known is reported as unknown, never guessed. The packet is the first of its connection and has no mark yet.

            IPv6 addresses are in brackets: [2001:db8::7]:40000.

            Exit status: 0 explained, 1 an error.

            Example:
              fwmarkctl explain --protocol tcp --source 198.51.100.7:40000 \\
                --destination 203.0.113.10:10050
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var output: JSONOption

    @Option(name: .customLong("protocol"), help: ArgumentHelp("A name like tcp, udp, esp, or a number.", valueName: "name"))
    var transport: String

    @Option(help: ArgumentHelp("Where the packet comes from.", valueName: "address:port"))
    var source: String

    @Option(help: ArgumentHelp("Where it goes.", valueName: "address:port"))
    var destination: String

    @Option(help: ArgumentHelp("The interface it comes in by.", valueName: "name"))
    var inInterface: String?

    @Option(help: ArgumentHelp("The interface it leaves by.", valueName: "name"))
    var outInterface: String?

    @Option(help: ArgumentHelp("prerouting, input, or output for the director's own packets.", valueName: "hook"))
    var hook = "prerouting"

    @Flag(help: "By all rules in the kernel, not those that the file asks for.")
    var kernel = false

    func validate() throws {
        do throws(InvalidParameter) { _ = try question() } catch { throw ValidationError("--\(error.name): \(error.reason)") }
    }

    private func question() throws(InvalidParameter) -> PacketQuestion {
        let values: [String: String] = [
            "protocol": transport, "source": source, "destination": destination, "hook": hook, "kernel": kernel ? "true" : "false",
        ]
        return try PacketQuestion { name in
            switch name {
            case "in-interface": inInterface
            case "out-interface": outInterface
            default: values[name]
            }
        }
    }

    func run() throws {
        let question = try question()
        let explanation = kernel ? try inKernel(question) : try inFile(question)
        try StandardOutput.write(
            output.json ? JSON.encodePretty(explanation) + [UInt8(ascii: "\n")] : Array(explanation.text(options.style).utf8))
    }

    private func inFile(_ question: PacketQuestion) throws -> Explanation {
        let loaded = try options.load()
        return Explanation(question, loaded, Planner.plan(for: loaded.configuration))
    }

    private func inKernel(_ question: PacketQuestion) throws -> Explanation {
        var tables: [TableID: [Chain]] = [:]
        do throws(NetfilterError) {
            for table in Table.allCases {
                let id = TableID(question.source.family, table)
                tables[id] = try KernelTables().snapshot(id)?.chains.map(\.chain)
            }
        } catch {
            throw Failure(error.message)
        }
        // The file only says where the rules come from.
        guard let loaded = try? options.load() else {
            var explanation = Explanation(question, kernel: tables, LoadedConfiguration(), Planner.plan(for: Configuration()))
            explanation.notes.append("\(options.config) cannot be read, so services and lines are not shown; see fwmarkctl check")
            return explanation
        }
        return Explanation(question, kernel: tables, loaded, Planner.plan(for: loaded.configuration))
    }
}
