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
        // Sections that are empty give way to those that stand behind a number sign without a space.
        lines.removeAll { ["daemon: {}", "ftp: []", "services: []", "masquerade: []"].contains($0) }
        // What is YAML stands right behind its number sign or two spaces from it, what is prose one.
        lines = lines.map { $0.starts(with: /#([a-z]|  )/) ? String($0.dropFirst()) : $0 }
        let loaded = try Configuration.load([ConfigurationText(path: "f", bytes: Array(lines.joined(separator: "\n").utf8))])
        var daemon = loaded.configuration.daemon
        #expect(daemon.httpListen?.port == 9780)
        daemon.httpListen = nil
        #expect(daemon == DaemonSettings())
        let used = lines.filter { !$0.hasPrefix("#") }.compactMap { $0.firstMatch(of: /^[ -]*([a-z-]+):/)?.1 }
        let keys = [
            "daemon", "on-drift", "on-stop", "hook-position", "check-interval", "resync-interval", "lock-timeout", "metrics-listen",
            "ftp",
            "name", "mark", "addresses", "control-port", "passive-ports", "active", "real-servers", "data-port", "to", "services",
            "tcp", "udp",
            "in-interface", "masquerade", "sources", "destinations", "out-interface",
        ]
        #expect(Set(used.map(String.init)) == Set(keys))
    }

    @Test("Every example is right and asks for something", arguments: ["ftp", "ftp-wide-range", "web", "dual-stack"])
    func examples(_ name: String) throws {
        let path = ShippedFilesTests.configs.appendingPathComponent("examples/\(name).yaml").path
        let configuration = try Configuration.load(path: path).configuration
        #expect(!configuration.allServices.isEmpty)
        if name == "ftp-wide-range" { #expect(configuration.ftp.map(\.passivePorts) == [PortRange(1024, 65535)]) }
        if name == "dual-stack" {
            #expect(configuration.allServices.allSatisfy { Set($0.addresses.included.map(\.family)) == [.ipv4, .ipv6] })
        }
    }
}
