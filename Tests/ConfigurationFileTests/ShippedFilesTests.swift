// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Foundation
import Rules
import Testing

@Suite("The files in Configs")
struct ShippedFilesTests {
    private static let configs = URL(fileURLWithPath: #filePath).appendingPathComponent("../../../Configs").standardized

    @Test("The file as installed asks for nothing and says every default")
    func installed() throws {
        let path = ShippedFilesTests.configs.appendingPathComponent("fwmarkd.yaml").path
        #expect(try Configuration.load(path: path).configuration == Configuration())
    }

    @Test("What the file as installed says in comments is right, uses every key, and shows the defaults of the daemon")
    func installedComments() throws {
        let path = ShippedFilesTests.configs.appendingPathComponent("fwmarkd.yaml").path
        let text = try String(contentsOfFile: path, encoding: .utf8)
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        // Sections that are empty give way to those after a number sign without a space.
        lines.removeAll { ["daemon: {}", "ftp: []", "services: []", "masquerade: []"].contains($0) }
        // YAML comes right after its number sign or two spaces later, prose one space later.
        lines = lines.map { $0.starts(with: /#([a-z]|  )/) ? String($0.dropFirst()) : $0 }
        let loaded = try Configuration.load([ConfigurationText(path: "f", bytes: Array(lines.joined(separator: "\n").utf8))])
        var daemon = loaded.configuration.daemon
        #expect(daemon.httpListen?.port == 9780)
        daemon.httpListen = nil
        #expect(daemon == DaemonSettings())
        let used = lines.filter { !$0.hasPrefix("#") }.compactMap { $0.firstMatch(of: /^[ -]*([a-z-]+):/)?.1 }
        let keys = [
            "daemon", "on-drift", "on-stop", "hook-position", "check-interval", "lock-timeout", "http-listen",
            "ftp", "name", "mark", "addresses", "control-port", "passive-ports", "forwarding", "active", "real-servers",
            "data-port", "to",
            "services", "tcp", "udp", "protocols", "sources", "source-macs", "in-interface", "hooks",
            "masquerade", "destination-tcp", "destinations", "out-interface", "random",
        ]
        #expect(Set(used.map(String.init)) == Set(keys))
    }

    private static let exampleNames: [String] = {
        let names = try? FileManager.default.contentsOfDirectory(atPath: configs.appendingPathComponent("examples").path)
        return (names ?? []).filter { $0.hasSuffix(".yaml") }.sorted()
    }()

    @Test("Every example is right and asks for something", arguments: ShippedFilesTests.exampleNames)
    func examples(_ name: String) throws {
        let path = ShippedFilesTests.configs.appendingPathComponent("examples/\(name)").path
        let configuration = try Configuration.load(path: path).configuration
        #expect(!configuration.allServices.isEmpty)
        switch name {
        case "ftp-wide-range.yaml": #expect(configuration.ftp.map(\.passivePorts) == [PortRange(1024, 65535)])
        case "dual-stack.yaml":
            #expect(configuration.allServices.allSatisfy { Set($0.addresses.included.map(\.family)) == [.ipv4, .ipv6] })
        case "ftps.yaml": #expect(configuration.ftp.map(\.controlPorts) == [[21, 990]])
        default: break
        }
    }

    @Test("There is an example of each kind that people ask for")
    func kinds() {
        let kinds = [
            "dns", "dual-stack", "ftp", "ftp-direct-routing", "ftp-several-addresses", "ftp-wide-range", "ftps", "http3", "ipsec",
            "mail",
            "multi-wan", "one-arm", "sip-rtp", "tftp", "two-box-pair", "web", "whole-address",
        ]
        #expect(ShippedFilesTests.exampleNames == kinds.map { "\($0).yaml" }.sorted())
    }
}
