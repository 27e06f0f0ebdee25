// SPDX-License-Identifier: GPL-2.0-or-later
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
                NAME      ADDRESS…  PORTS  PACKETS
                a         192.0.2…  tcp/1        7
                          2001:db…  tcp/2
                          2001:db…
                long-na…            udp/3  1234567
                """
            ),
        ] as [(Int?, String)])
    func tables(_ columns: Int?, _ text: String) {
        var table = TextTable([.init("NAME"), .init("ADDRESSES"), .init("PORTS"), .init("PACKETS", .right)])
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
        "Colours are used on terminals, and not where they are turned off",
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

    @Test("Where more is watched than fits, the state stays in sight, the busiest come first and pages turn")
    func busiest() {
        var earlier = Samples.status
        earlier.services = (1...50).map { ServiceStatus(name: "s\($0)", mark: "1", addresses: ["192.0.2.1"], ports: ["tcp/1"]) }
        var later = earlier
        later.services[41].packets = 500
        let rates = Rates(from: earlier, to: later, in: .seconds(2))
        let text = StatusText(later, rates: rates, Style(isColoured: false), columns: 200)
        #expect(text.text(rows: 200) == text.text(rows: nil))
        let lines = text.text(rows: 20).split(separator: "\n", omittingEmptySubsequences: false).dropLast()
        #expect(lines.count == 19)
        #expect(lines.last?.hasPrefix("page 1 of ") == true)
        let first = lines.firstIndex { $0.hasPrefix("SERVICE") }.map { lines[$0 + 1] }
        #expect(first?.split(separator: " ").first == "s42" && first?.contains(" 250 ") == true)
        let next = text.text(rows: 20, page: 1).split(separator: "\n", omittingEmptySubsequences: false)
        #expect(next.first == lines.first)
        #expect(!next.contains { $0.hasPrefix("s42 ") })
    }

    @Test("The status fits the terminal", arguments: [40, 60, 80, 132])
    func fits(_ columns: Int) {
        var status = Samples.troubled
        status.services[0].warnings = ["no virtual service of IPVS on mark 21 (IPv4): marked packets are not forwarded"]
        status.configuration.ignoredFiles = ["/etc/fwmarkd/conf.d/web.yml"]
        for rates in [nil, Rates()] {
            let text = StatusText(status, rates: rates, Style(isColoured: false), columns: columns).text
            for line in text.split(separator: "\n") { #expect(line.count <= columns, "\(line)") }
            #expect(text.contains("SERVICE") && text.contains("MARK"))
        }
    }

    @Test(
        "One long name is cut before columns are left out",
        arguments: [(60, ["MARK", "ADDRESSES"]), (80, ["MARK", "ADDRESSES", "PORTS"])])
    func longName(_ columns: Int, _ wanted: [String]) {
        var status = Samples.status
        status.services[0].name = String(repeating: "n", count: 62)
        let lines = StatusText(status, rates: nil, Style(isColoured: false), columns: columns).text.split(separator: "\n")
        let titles = lines.first { $0.hasPrefix("SERVICE") } ?? ""
        for title in wanted { #expect(titles.contains(title), "\(titles)") }
        #expect(lines.allSatisfy { $0.count <= columns })
    }

    @Test(
        "A director's URL is taken with and without its scheme and port",
        arguments: [
            ("http://director1:9781/", "http://director1:9781"), ("director1", "http://director1:9780"),
            ("[2001:db8::1]:80", "http://[2001:db8::1]:80"), ("192.0.2.1", "http://192.0.2.1:9780"), ("a b", nil), ("a:0", nil),
            ("https://director1", nil), ("2001:db8::1", nil),
        ] as [(String, String?)])
    func directorURL(_ argument: String, _ url: String?) {
        #expect(DirectorURL(argument: argument)?.description == url)
    }

    @Test("Of several directors the worst decides, and what differs is named")
    func directors() throws {
        let urls = try ["a", "b", "c"].map { try #require(DirectorURL(argument: $0)) }
        var other = Samples.status
        other.configuration.sha256 = "other"
        other.services[0].mark = "22"
        let directors = [
            DirectorsText.Director(url: urls[0], answer: .success(Samples.status)),
            DirectorsText.Director(url: urls[1], answer: .success(other)),
            DirectorsText.Director(url: urls[2], answer: .failure(Failure(.notRunning, "http://c:9780 cannot be reached"))),
        ]
        #expect(DirectorsText.exitStatus(directors) == .notRunning)
        #expect(DirectorsText.exitStatus(Array(directors.prefix(2))) == .success)
        let text = DirectorsText(directors, Style(isColoured: false), columns: nil).text
        #expect(text.contains("b and a have different configurations"))
        #expect(text.contains("service ftp differs"))
        #expect(text.contains("no answer"))
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
