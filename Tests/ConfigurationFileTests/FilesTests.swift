import ConfigurationFile
import Foundation
import Testing

@Suite("Files and conf.d")
struct FilesTests {
    @Test("conf.d is read after the file, in the order of its names; lists are joined; other names are left alone")
    func fragments() throws {
        try withDirectory([
            "fwmarkd.yaml": "daemon: {on-drift: report}\nservices:\n  - {name: a, mark: 1, addresses: [192.0.2.1], tcp: [80]}\n",
            "conf.d/20-c.yaml": "services:\n  - {name: c, mark: 3, addresses: [192.0.2.3], tcp: [80]}\n",
            "conf.d/10-b.yaml": "daemon: {on-stop: remove}\nservices:\n  - {name: b, mark: 2, addresses: [192.0.2.2], tcp: [80]}\n",
            "conf.d/Z.yaml": "services:\n  - {name: z, mark: 4, addresses: [192.0.2.4], tcp: [80]}\n",
            "conf.d/.hidden.yaml": "no: such\n", "conf.d/30-d.yaml~": "no: such\n", "conf.d/40-e.yaml.dpkg-old": "no: such\n",
            "conf.d/README": "[",
        ]) { directory in
            let loaded = try Configuration.load(path: "\(directory)/fwmarkd.yaml")
            #expect(
                loaded.files.map(\.path)
                    == ["fwmarkd.yaml", "conf.d/10-b.yaml", "conf.d/20-c.yaml", "conf.d/Z.yaml"].map { "\(directory)/\($0)" })
            #expect(loaded.configuration.services.map(\.name) == ["a", "b", "c", "z"])
            #expect(loaded.configuration.services[1].position.description == "\(directory)/conf.d/10-b.yaml:3:5")
            #expect(loaded.configuration.daemon.onDrift == .report)
            #expect(loaded.configuration.daemon.onStop == .remove)
        }
    }

    @Test("The faults of all files are found at once, also behind a syntax error, a missing file and one that cannot be read")
    func allFaults() throws {
        try withDirectory([
            "conf.d/10.yaml": "daemon: {on-drift: report}\nservices: [\n",
            "conf.d/20.yaml": "daemon: {on-drift: repair}\n",
            "conf.d/30.yaml/file": "",
            "conf.d/40.yaml": "services:\n  - {name: a, mark: 0, addresses: [192.0.2.1], tcp: [80]}\n",
        ]) { directory in
            let at = "\(directory)/conf.d/"
            #expect(
                faults(of: "\(directory)/fwmarkd.yaml") == [
                    "\(directory)/fwmarkd.yaml:1:1: cannot be opened: No such file or directory; expected a readable file",
                    "\(at)10.yaml:3:1: did not find expected node content while parsing a flow node; expected valid YAML",
                    "\(at)20.yaml:1:20: daemon.on-drift: on-drift was set already at \(at)10.yaml:1:20; expected each setting in one file only",
                    "\(at)30.yaml:1:1: cannot be read: Is a directory; expected a readable file",
                    "\(at)40.yaml:2:21: services[0].mark: mark 0 is the mark of a packet that has none; expected a mark from 1 to 4294967295",
                ])
        }
    }

    @Test("Names alike and conflicting marks are found across files")
    func acrossFiles() throws {
        try withDirectory([
            "fwmarkd.yaml": "services:\n  - {name: a, mark: 1, addresses: [192.0.2.1], tcp: [80]}\n",
            "conf.d/b.yaml": "services:\n  - {name: a, mark: 2, addresses: [192.0.2.0/24], tcp: [1-100]}\n",
        ]) { directory in
            let (main, fragment) = ("\(directory)/fwmarkd.yaml", "\(directory)/conf.d/b.yaml")
            #expect(
                faults(of: main) == [
                    "\(fragment):2:5: services[0]: mark 2 for tcp port 80 of 192.0.2.1/32, which \"a\" at \(main):2:5 gives mark 1; "
                        + "expected one mark for both, addresses, ports or interfaces that do not overlap, or masks that do not touch",
                    "\(fragment):2:12: services[0].name: two services have the name \"a\"; the other is at \(main):2:12; "
                        + "expected a name of its own for each",
                ])
        }
    }

    @Test("A conf.d that cannot be looked through is a fault, not an empty one")
    func unreadableDirectory() throws {
        try withDirectory(["fwmarkd.yaml": "nonsense: 1\n", "conf.d": "a file\n"]) { directory in
            #expect(
                faults(of: "\(directory)/fwmarkd.yaml") == [
                    "\(directory)/fwmarkd.yaml:1:1: nonsense: unknown key; expected one of daemon, ftp, services, masquerade",
                    "\(directory)/conf.d:1:1: cannot be opened: Not a directory; expected a directory with files, or none",
                ])
        }
    }

    @Test("Without conf.d the file stands alone, also when it is named without a directory or is no file on disk")
    func alone() throws {
        try withDirectory(["x.yaml": "services: []\n"]) { directory in
            let loaded = try Configuration.load(path: "\(directory)/x.yaml")
            #expect(loaded.files.count == 1)
        }
        #expect(
            faults(of: "no-such-file.yaml") == [
                "no-such-file.yaml:1:1: cannot be opened: No such file or directory; expected a readable file"
            ])
        #expect(faults(of: "/dev/null").count == 1)
    }

    @Test("A file that never ends is not read to its end")
    func endless() {
        #expect(
            faults(of: "/dev/zero") == [
                "/dev/zero:1:1: the file is larger than 16 MiB; expected a smaller file, or several in conf.d"
            ])
    }

    @Test("The digest is the same for the same files anywhere, and another when a line moves from one file into the next")
    func digest() throws {
        func digest(_ files: [(String, String)]) throws -> String {
            try Configuration.load(files.map { ConfigurationText(path: $0.0, bytes: Array($0.1.utf8)) }).sha256
        }
        let one = try digest([("/a/f.yaml", "# 1\n# 2\n"), ("/a/conf.d/x.yaml", "# 3\n")])
        // printf 'f.yaml\0008\0# 1\n# 2\nx.yaml\0004\0# 3\n' | sha256sum
        #expect(one == "a99189a93a1973d75ebf9792a464ff2afe71934c0509842917dec80ea020360f")
        #expect(try digest([("f.yaml", "# 1\n# 2\n"), ("b/x.yaml", "# 3\n")]) == one)
        #expect(try digest([("f.yaml", "# 1\n"), ("x.yaml", "# 2\n# 3\n")]) != one)
    }

    private func faults(of path: String) -> [String] {
        do throws(ConfigurationFaults) {
            _ = try Configuration.load(path: path)
            return []
        } catch {
            return error.faults.map(\.description)
        }
    }

    /// Runs the body with a directory that holds these files, which is gone afterwards.
    private func withDirectory(_ files: [String: String], _ body: (String) throws -> Void) throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("fwmarkd-test-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: directory) }
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        for (name, contents) in files {
            let file = directory.appendingPathComponent(name)
            try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(contents.utf8).write(to: file)
        }
        try body(directory.path)
    }
}
