// SPDX-License-Identifier: GPL-2.0-or-later
import API
import DaemonSupport
import Foundation
import NamespaceSupport
import Testing

/// What would move a cursor, forge a line of the journal, or end a message, as bash writes it between `$'` and `'`.
private let evil = #"a\e[2J\e]0;x\a\n<0>fwmarkd: gone\r\nREADY=0\nevil 1\u202e\u009b31m\xff"#
/// The same without blanks and line breaks, which a chain's name may not have.
private let evilName = #"\e[31m<0>\x07\xff"#

/// The characters of a text that may not leave for a terminal, a journal or a service manager.
private func unclean(_ text: String) -> [Unicode.Scalar] {
    text.unicodeScalars.filter { scalar in
        switch scalar.properties.generalCategory {
        case .control: scalar != "\n"
        case .format, .lineSeparator, .paragraphSeparator: true
        default: false
        }
    }
}

/// All strings in a value of JSON, names of members included.
private func strings(_ value: Any) -> [String] {
    switch value {
    case let text as String: [text]
    case let list as [Any]: list.flatMap(strings)
    case let members as [String: Any]: members.flatMap { [$0.key] + strings($0.value) }
    default: []
    }
}

extension DaemonKernelTests {
    @Suite("Names from outside cannot act where they are shown")
    struct HostileNames {
        /// Other programs' rules and chains, files and chains like ours, with every name that can be had.
        private func spread(in namespace: NetworkNamespace) throws {
            let script = """
                set -e
                evil=$'\(evil)' name=$'\(evilName)'
                iptables() { iptables-legacy -w -t mangle "$@"; }
                iptables -N "x$name"
                iptables -A "x$name" -m comment --comment "$evil" -j MARK --set-mark 21
                iptables -A PREROUTING -p tcp -d 203.0.113.10 -m comment --comment "$evil" -j "x$name"
                iptables-legacy -w -t nat -A POSTROUTING -s 10.11.12.0/24 -m comment --comment "$evil" -j MASQUERADE
                iptables -N "fwmarkd-$name"
                iptables -A "fwmarkd-$name" -m comment --comment "$evil" -j ACCEPT
                iptables -I fwmarkd-mark -m comment --comment "$evil" -j ACCEPT
                """
            try namespace.run("bash", "-c", script)
        }

        private func output(of words: [String], _ daemon: Daemon) throws -> [UInt8] {
            let files = daemon.files
            let program = try files.namespace.start(
                [try builtProgram("fwmarkctl")] + words + ["--config", files.configuration, "--socket", files.runtime])
            try program.wait(seconds: 30)
            return program.outputBytes
        }

        private func expectClean(_ bytes: [UInt8], _ from: String) {
            #expect(String(validating: bytes, as: UTF8.self) != nil, "\(from): no UTF-8")
            expectClean(String(decoding: bytes, as: UTF8.self), from)
        }

        private func expectClean(_ text: String, _ from: String) {
            #expect(unclean(text).isEmpty, "\(from): \(unclean(text)) in \(text.debugDescription.prefix(2000))")
            #expect(
                !text.split(separator: "\n").contains { $0.hasPrefix("<0>") || $0.hasPrefix("READY=0") || $0.hasPrefix("evil 1") })
        }

        @Test(
            "Every command: check, render, plan, explain, import, doctor, status, events, reload, reconcile, metrics, apply, remove"
        )
        func commands() async throws {
            try await NetworkNamespace.run { namespace in
                let daemon = try Daemon.ready(in: namespace, ftp("on-drift: report"))
                try spread(in: namespace)
                let fragments = namespace.directory.path + "/conf.d"
                try FileManager.default.createDirectory(atPath: fragments, withIntermediateDirectories: true)
                try namespace.run("bash", "-c", "cd \(fragments); echo > $'\(evilName).txt'")
                try daemon.wait { $0.state == .drifted }
                let packet = [
                    "explain", "--protocol", "tcp", "--source", "198.51.100.7:40000", "--destination", "203.0.113.10:21",
                ]
                var commands = [
                    ["check"], ["render"], ["render", "--format", "commands"], ["plan"], packet, packet + ["--kernel"], ["import"],
                    ["import", "--adopt"], ["doctor"], ["status"], ["events"], ["metrics"], ["reload"], ["reconcile"], ["apply"],
                    ["status"], ["events"],
                ]
                commands += [["plan", "--json"], ["status", "--json"], ["events", "--json"], packet + ["--kernel", "--json"]]
                for words in commands {
                    let printed = try output(of: words, daemon)
                    #expect(!printed.isEmpty)
                    expectClean(printed, words.joined(separator: " "))
                }
                // A file whose own name is hostile and whose contents are wrong: errors name it.
                try namespace.run(
                    "bash", "-c", "cd \(fragments); echo 'nonsense: 1' > $'\(evilName.replacing(#"\xff"#, with: ""))\\n<0>.yaml'")
                for words in [["check"], ["reload"], ["status"], ["events"], ["render"], ["plan"], ["apply"], ["remove"]] {
                    expectClean(try output(of: words, daemon), words[0])
                }
                #expect(try daemon.stop() == 0)
            }
        }

        @Test("Every endpoint, the journal's lines and the messages to the service manager")
        func endpoints() async throws {
            try await NetworkNamespace.run { namespace in
                let errors = namespace.directory.path + "/stderr"
                // What the journal is by: JOURNAL_STREAM names standard error's file.
                let wrapper = "exec 2>\(errors); export JOURNAL_STREAM=$(stat -Lc %d:%i /proc/self/fd/2); exec \"$@\""
                let daemon = try Daemon.ready(in: namespace, ftp("on-drift: report"), wrapper: ["bash", "-c", wrapper, "bash"])
                try spread(in: namespace)
                try daemon.wait { status in status.state == .drifted }
                let fragments = namespace.directory.path + "/conf.d"
                try FileManager.default.createDirectory(atPath: fragments, withIntermediateDirectories: true)
                try namespace.run(
                    "bash", "-c", "cd \(fragments); echo 'nonsense: 1' > $'e\\e[2J\\n<0>.yaml'; echo > $'\(evilName)'")
                daemon.program.signal(SIGHUP)
                let told = try daemon.expect("READY=1")
                for line in told {
                    let isKnown = ["READY=1", "RELOADING=1", "STATUS=", "MONOTONIC_USEC="].contains { line.hasPrefix($0) }
                    #expect(isKnown, "\(line)")
                    expectClean(line, "sd_notify")
                }
                let paths = [
                    Endpoint.status, Endpoint.rules, Endpoint.events, Endpoint.metrics,
                    Endpoint.explain + "?protocol=tcp&source=198.51.100.7&destination=203.0.113.10:21&kernel=true",
                    Endpoint.explain + "?protocol=%1b%5b2J%0a&source=198.51.100.7&destination=203.0.113.10", "/%1b%5b2J%0a<0>",
                ]
                for path in paths {
                    let answer = try Answer(of: daemon.files.statusSocket, "GET", path)
                    expectClean(answer.body, path)
                    expectClean(answer.head.replacing("\r\n", with: "\n"), path)
                    for line in answer.body.split(separator: UInt8(ascii: "\n")) where line.first == UInt8(ascii: "{") {
                        let value = try JSONSerialization.jsonObject(with: Data(line), options: .fragmentsAllowed)
                        for text in strings(value) {
                            #expect(unclean(text).isEmpty && !text.contains("\n"), "\(path): \(text.debugDescription)")
                        }
                    }
                }
                #expect(try daemon.events().contains { $0.lines.contains { $0.contains("\\u{1B}") || $0.contains("\\x") } })
                #expect(try daemon.stop() == 0)
                let lines = try String(decoding: Data(contentsOf: URL(fileURLWithPath: errors)), as: UTF8.self).split(
                    separator: "\n")
                #expect(lines.count > 5)
                for line in lines {
                    expectClean(String(line), "journal")
                    #expect(line.first == "<" && "34567".contains(line.dropFirst().first ?? "x"), "\(line)")
                }
            }
        }
    }
}
