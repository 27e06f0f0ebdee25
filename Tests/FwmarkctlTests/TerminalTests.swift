import API
import Foundation
import NamespaceSupport
import Testing

@testable import fwmarkctl

@Suite("What people see")
struct TerminalTests {
    @Test(
        "A table is aligned, and breaks its widest cells where the terminal is narrow",
        arguments: [
            (
                nil,
                """
                NAME       ADDRESSES                          PORTS        PACKETS
                a          192.0.2.1,2001:db8::1,2001:db8::2  tcp/1,tcp/2        7
                long-name                                     udp/3        1234567
                """
            ),
            (
                58,
                """
                NAME       ADDRESSES              PORTS        PACKETS
                a          192.0.2.1,2001:db8::1  tcp/1,tcp/2        7
                           2001:db8::2
                long-name                         udp/3        1234567
                """
            ),
            (
                20,
                """
                NAME       ADDRESSES    PORTS  PACKETS
                a          192.0.2.1    tcp/1        7
                           2001:db8::1  tcp/2
                           2001:db8::2
                long-name               udp/3  1234567
                """
            ),
        ] as [(Int?, String)])
    func tables(_ columns: Int?, _ text: String) {
        var table = TextTable([("NAME", .left), ("ADDRESSES", .left), ("PORTS", .left), ("PACKETS", .right)])
        table.add([.init("a"), .init(["192.0.2.1", "2001:db8::1", "2001:db8::2"]), .init(["tcp/1", "tcp/2"]), .init("7")])
        table.add([.init("long-name"), .init([]), .init(["udp/3"]), .init("1234567")])
        let lines = table.lines(columns: columns, Style(isColoured: false))
        // Where there are more columns than the text needs, they may stay empty.
        let squeezed = { (lines: String) in lines.split(separator: " ", omittingEmptySubsequences: true).joined(separator: " ") }
        if columns == 58 {
            #expect(squeezed(lines.joined(separator: "\n")) == squeezed(text))
            #expect(lines.allSatisfy { $0.count <= 58 })
        } else {
            #expect(lines.joined(separator: "\n") == text)
        }
    }

    @Test(
        "Bytes have the unit that fits",
        arguments: [
            (0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (1536, "1.5 KiB"), (1_048_575, "1 MiB"), (5_000_000, "4.8 MiB"),
            (.max, "16 EiB"),
        ] as [(UInt64, String)])
    func bytes(_ number: UInt64, _ text: String) {
        #expect(HumanText.bytes(number) == text)
    }

    @Test(
        "Durations have the two units that count",
        arguments: [
            (0, "0 s"), (59, "59 s"), (60, "1 min"), (3599, "59 min"), (3600, "1 h"), (7500, "2 h 5 min"), (86400, "1 d"),
            (273_600, "3 d 4 h"),
        ])
    func durations(_ seconds: Int, _ text: String) {
        #expect(HumanText.duration(seconds: seconds) == text)
    }

    @Test(
        "Colours are for terminals, and stay away where nobody wants them",
        .enabled(if: Tool.exists("script"), "needs script(1)"),
        arguments: [
            ("", "", true), ("--no-color", "", false), ("", "NO_COLOR=1", false), ("", "NO_COLOR=", true), ("", "TERM=dumb", false),
        ])
    func colours(_ option: String, _ variable: String, _ areWanted: Bool) throws {
        let scratch = try Scratch()
        let status = String(decoding: JSON.encode(Samples.status), as: UTF8.self)
        let daemon = try FakeDaemon(scratch, ["GET /v1/status": { $0.answer(200, status) }])
        defer { daemon.stop() }
        let command = "env -u NO_COLOR TERM=xterm \(variable) \(Program.path) status \(option) --socket \(scratch.path)"
        let onTerminal = try Tool.run(["script", "--quiet", "--return", "--command", command, "/dev/null"])
        #expect(onTerminal.status == 0)
        #expect(onTerminal.output.contains("\u{1b}[32min sync\u{1b}[0m") == areWanted, "\(onTerminal.output)")
        #expect(onTerminal.output.contains("\u{1b}[") == areWanted)
        let inFile = try Program(scratch).run("status --socket \(scratch.path)").output
        #expect(inFile.contains("in sync") && !inFile.contains("\u{1b}"))
    }

    @Test("Where more services are watched than fit, the busiest are shown")
    func busiest() {
        var earlier = Samples.status
        earlier.services = (1...50).map { ServiceStatus(name: "s\($0)", mark: "1", addresses: ["192.0.2.1"], ports: ["tcp/1"]) }
        var later = earlier
        later.services[41].packets = 500
        let rates = Rates(from: earlier, to: later, in: .seconds(2))
        let text = StatusText(later, rates: rates, Style(isColoured: false), columns: 200)
        let all = text.text(rows: nil).split(separator: "\n", omittingEmptySubsequences: false)
        #expect(text.text(rows: 200) == text.text(rows: nil))
        let lines = text.text(rows: 20).split(separator: "\n", omittingEmptySubsequences: false).dropLast()
        #expect(lines.count == 19)
        #expect(lines[lines.count - 1] == "… \(all.count - 1 - 18) more lines; without --watch all are shown")
        let first = lines.firstIndex { $0.hasPrefix("SERVICE") }.map { lines[$0 + 1] }
        #expect(first?.split(separator: " ").first == "s42" && first?.contains(" 250 ") == true)
    }

    @Test(
        "Work that takes over a second is shown on a terminal",
        .enabled(if: NetworkNamespace.isAvailable && Tool.exists("script"), "needs root"))
    func progress() async throws {
        try await NetworkNamespace.run { namespace in
            let scratch = try Scratch()
            let file = try scratch.file("fwmarkd.yaml", exampleFile)
            // Who has the lock is what takes so long.
            let lock = open(namespace.lockPath, O_RDONLY | O_CREAT | O_CLOEXEC, 0o600)
            defer { close(lock) }
            try #require(flock(lock, LOCK_EX) == 0)
            let program = Program(scratch, in: namespace)
            let command = (program.wrapper + [Program.path, "apply", "--config", file, "--socket", scratch.path]).joined(
                separator: " ")
            let words = [
                "env", "XTABLES_LOCKFILE=\(namespace.lockPath)", "timeout", "60", "script", "--quiet", "--return", "--command",
                command,
                "/dev/null",
            ]
            let pipe = Pipe.ofOurs
            let process = try SpawnedProgram(words, output: pipe.fileHandleForWriting.fileDescriptor)
            try pipe.fileHandleForWriting.close()
            var seen = Data()
            while !String(decoding: seen, as: UTF8.self).contains("bringing the kernel to \(file) … 1 s") {
                let more = pipe.fileHandleForReading.availableData
                try #require(!more.isEmpty, "\(String(decoding: seen, as: UTF8.self))")
                seen += more
            }
            flock(lock, LOCK_UN)
            #expect(process.wait() == 0)
        }
    }

    @Test("Where the reader of a pipe goes away, the program ends without a word")
    func brokenPipe() throws {
        let scratch = try Scratch()
        let file = try scratch.file("fwmarkd.yaml", exampleFile)
        let pipe = "set -o pipefail; '\(Program.path)' render --config '\(file)' | true; echo $?"
        let end = try Tool.run(["bash", "-c", pipe])
        // 141: SIGPIPE. 0: the text was in the pipe before its reader was gone.
        #expect(["141\n", "0\n"].contains(end.output), "\(end.output)")
    }
}
