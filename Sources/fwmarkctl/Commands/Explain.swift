import API
import ArgumentParser
import ConfigurationFile
import Netfilter
import Planner
import Rules

struct Explain: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say which mark and which source translation a packet would get, and by what.",
        discussion: """
            Answers by the rules that the file asks for; with --kernel by those of fwmarkd's that are in the kernel now, and \
            says when rules of others stand before them. Each rule that the packet fits is shown with its chain, its number and \
            the line of the file that it comes from. The packet is the first of its connection and has no mark yet.

            IPv6 addresses stand in brackets: [2001:db8::7]:40000.

            Exit status: 0 explained, 1 an error.

            Example: fwmarkctl explain --protocol tcp --source 198.51.100.7:40000 --destination 203.0.113.10:10050
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var output: JSONOption

    @Option(
        name: .customLong("protocol"), help: ArgumentHelp("tcp, udp, sctp, or any other, which has no ports.", valueName: "name"))
    var transport: String

    @Option(help: ArgumentHelp("Where the packet comes from.", valueName: "address:port"))
    var source: PacketEnd

    @Option(help: ArgumentHelp("Where it goes.", valueName: "address:port"))
    var destination: PacketEnd

    @Option(help: ArgumentHelp("The interface it comes in by.", valueName: "name"))
    var inInterface: String?

    @Option(help: ArgumentHelp("The interface it leaves by.", valueName: "name"))
    var outInterface: String?

    @Flag(help: "By the rules in the kernel, not those that the file asks for.")
    var kernel = false

    func validate() throws {
        guard source.address.family == destination.address.family else {
            throw ValidationError("--source and --destination are of different families")
        }
        for (option, end) in [("--source", source), ("--destination", destination)] {
            if TransportProtocol(rawValue: transport) != nil, end.port == nil {
                throw ValidationError("\(option) \(end): a port is missing, as in \(PacketEnd(end.address, port: 21))")
            }
            if TransportProtocol(rawValue: transport) == nil, end.port != nil {
                throw ValidationError("\(option) \(end): \(transport) has no ports")
            }
        }
    }

    func run() throws {
        let packet = Packet(
            TransportProtocol(rawValue: transport), source: source.address, sourcePort: source.port ?? 0,
            destination: destination.address, destinationPort: destination.port ?? 0, inInterface: inInterface,
            outInterface: outInterface)
        let explanation = kernel ? try inKernel(packet) : try inFile(packet)
        try StandardOutput.write(
            output.json ? JSON.encodePretty(explanation) + [UInt8(ascii: "\n")] : Array(explanation.text(options.style).utf8))
    }

    private func inFile(_ packet: Packet) throws -> Explanation {
        let configuration = try options.load().configuration
        return Explanation(
            packet, Planner.ruleset(for: configuration), Explanation.Origins(configuration), against: "file", notes: [])
    }

    private func inKernel(_ packet: Packet) throws -> Explanation {
        let view: KernelView
        do {
            view = try KernelView(packet.destination.family)
        } catch {
            throw Failure(error.message)
        }
        var notes = view.notes
        // The file only says where the rules come from.
        let configuration = try? options.load().configuration
        if configuration == nil {
            notes.append("\(options.config) cannot be read, so that lines of it are not shown; see fwmarkctl check")
        }
        return Explanation(packet, view.ruleset, Explanation.Origins(configuration), against: "kernel", notes: notes)
    }
}
