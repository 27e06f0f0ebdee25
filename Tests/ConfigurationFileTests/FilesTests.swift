// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Foundation
import Rules
import Testing

@Suite("Files and conf.d")
struct FilesTests {
    @Test(
        "conf.d is read after the file, in the order of its names; lists are joined; other names are told of, hidden ones are left alone"
    )
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
            #expect(loaded.position(ofService: 1).description == "\(directory)/conf.d/10-b.yaml:3:5")
            #expect(
                loaded.warnings
                    == ["30-d.yaml~", "40-e.yaml.dpkg-old", "README"].map {
                        "\(directory)/conf.d/\($0) is not read: files in conf.d have names that end in .yaml"
                    })
            #expect(loaded.configuration.daemon.onDrift == .report)
            #expect(loaded.configuration.daemon.onStop == .remove)
        }
    }

    @Test("The errors of all files are found at once, also after a syntax error, a missing file and one that cannot be read")
    func allErrors() throws {
        try withDirectory([
            "conf.d/10.yaml": "daemon: {on-drift: report}\nservices: [\n",
            "conf.d/20.yaml": "daemon: {on-drift: repair}\n",
            "conf.d/30.yaml/file": "",
            "conf.d/40.yaml": "services:\n  - {name: a, mark: 0, addresses: [192.0.2.1], tcp: [80]}\n",
        ]) { directory in
            let at = "\(directory)/conf.d/"
            #expect(
                errors(of: "\(directory)/fwmarkd.yaml") == [
                    "\(directory)/fwmarkd.yaml:1:1: does not exist: write it (see: man fwmarkd.yaml), or name another with --config",
                    "\(at)10.yaml:3:1: a list or a mapping is not closed, or its last value is missing",
                    "\(at)20.yaml:1:20: daemon.on-drift: was set at \(at)10.yaml:1:20 already; a setting can be in one file only",
                    "\(at)30.yaml:1:1: cannot be read: it is a directory, not a regular file",
                    "\(at)40.yaml:2:21: services[0].mark: invalid mark 0: packets without a mark have it; marks are 1 to 4294967295",
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
                errors(of: main) == [
                    "\(fragment):2:5: services[0]: mark 2 for tcp port 80 of 192.0.2.1/32, which \"a\" at \(main):2:5 gives mark 1",
                    "\(fragment):2:12: services[0].name: duplicate name: another of the services at \(main):2:12 is \"a\"",
                ])
        }
    }

    @Test("A file of settings alone is right beside others, and no configuration by itself")
    func settings() throws {
        let settings = "daemon: {on-drift: report}\n"
        try withDirectory(["fwmarkd.yaml": "services: []\n", "conf.d/a.yaml": settings]) { directory in
            let loaded = try Configuration.load(path: "\(directory)/fwmarkd.yaml")
            #expect(loaded.configuration.daemon.onDrift == .report)
        }
        try withDirectory(["fwmarkd.yaml": settings, "conf.d/a.yaml": "ftp: []\n"]) { directory in
            _ = try Configuration.load(path: "\(directory)/fwmarkd.yaml")
        }
        try withDirectory(["fwmarkd.yaml": settings, "conf.d/a.yaml": "# nothing\n"]) { directory in
            let path = "\(directory)/fwmarkd.yaml"
            #expect(
                errors(of: path) == [
                    "\(path):1:1: there are settings of \"daemon:\" alone; to ask for no rules, write \"services: []\""
                ])
        }
    }

    @Test("A conf.d that cannot be looked through is an error, not an empty one")
    func unreadableDirectory() throws {
        try withDirectory(["fwmarkd.yaml": "nonsense: 1\n", "conf.d": "a file\n"]) { directory in
            #expect(
                errors(of: "\(directory)/fwmarkd.yaml") == [
                    "\(directory)/fwmarkd.yaml:1:1: nonsense: unknown key; known here: daemon, ftp, services, masquerade",
                    "\(directory)/conf.d:1:1: cannot be read: Not a directory",
                ])
        }
    }

    @Test("Without conf.d the file is read alone, also when it is named without a directory or is no file on disk")
    func alone() throws {
        try withDirectory(["x.yaml": "services: []\n"]) { directory in
            let loaded = try Configuration.load(path: "\(directory)/x.yaml")
            #expect(loaded.files.count == 1)
        }
        #expect(
            errors(of: "no-such-file.yaml") == [
                "no-such-file.yaml:1:1: does not exist: write it (see: man fwmarkd.yaml), or name another with --config"
            ])
        #expect(errors(of: "/dev/null").count == 1)
    }

    @Test("Anything but a regular file is refused without being read", .timeLimit(.minutes(1)))
    func irregular() throws {
        #expect(errors(of: "/dev/zero") == ["/dev/zero:1:1: cannot be read: it is a device, not a regular file"])
        try withDirectory(["fwmarkd.yaml": "services: []\n", "conf.d/a.yaml": "services: []\n"]) { directory in
            #expect(mkfifo("\(directory)/conf.d/b.yaml", 0o600) == 0)
            #expect(
                errors(of: "\(directory)/fwmarkd.yaml") == [
                    "\(directory)/conf.d/b.yaml:1:1: cannot be read: it is a FIFO, not a regular file"
                ])
        }
    }

    @Test("Files of more than 64 MiB together are refused, and what is past that is not read")
    func total() throws {
        var files = ["fwmarkd.yaml": "services: []\n"]
        let comment = String(repeating: "#", count: 16 << 20)
        for index in 0..<5 { files["conf.d/\(index).yaml"] = comment }
        try withDirectory(files) { directory in
            #expect(
                errors(of: "\(directory)/fwmarkd.yaml") == [
                    "\(directory)/conf.d/3.yaml:1:1: the files are larger than 64 MiB together"
                ])
        }
    }

    @Test("Another file is read as if it were in conf.d, in place of one of its name")
    func with() throws {
        try withDirectory([
            "fwmarkd.yaml": "services: []\n",
            "conf.d/10.yaml": "services:\n  - {name: a, mark: 1, addresses: [192.0.2.1], tcp: [80]}\n",
            "conf.d/30.yaml": "services:\n  - {name: c, mark: 3, addresses: [192.0.2.3], tcp: [80]}\n",
            "new/20.yaml": "services:\n  - {name: b, mark: 2, addresses: [192.0.2.2], tcp: [80]}\n",
            "new/30.yaml": "services:\n  - {name: d, mark: 4, addresses: [192.0.2.3], tcp: [80]}\n",
        ]) { directory in
            let loaded = try Configuration.load(
                path: "\(directory)/fwmarkd.yaml",
                with: [AdditionalFile(argument: "\(directory)/new/30.yaml"), AdditionalFile(argument: "\(directory)/new/20.yaml")])
            #expect(loaded.configuration.services.map(\.name) == ["a", "b", "d"])
            #expect(loaded.files.map(\.path).last == "\(directory)/new/30.yaml")
            // Under a name of another file it takes that file's place, whatever its own.
            let renamed = try Configuration.load(
                path: "\(directory)/fwmarkd.yaml", with: [AdditionalFile(argument: "10.yaml=\(directory)/new/20.yaml")])
            #expect(renamed.configuration.services.map(\.name) == ["b", "c"])
        }
    }

    @Test("The files' digest is the same for the same files anywhere, and another when a line moves from one file into the next")
    func digest() throws {
        func digest(_ files: [(String, String)]) throws -> String {
            LoadedConfiguration(files: files.map { ConfigurationText(path: $0.0, bytes: Array($0.1.utf8)) }).filesSHA256
        }
        let one = try digest([("/a/f.yaml", "# 1\n# 2\n"), ("/a/conf.d/x.yaml", "# 3\n")])
        // printf '\x06f.yaml\x08# 1\n# 2\n\x06x.yaml\x04# 3\n' | sha256sum
        #expect(one == "5d3c1f595ef97b644f96bccca138dab190583b982d74159b9886808e9758284f")
        #expect(try digest([("f.yaml", "# 1\n# 2\n"), ("b/x.yaml", "# 3\n")]) == one)
        #expect(try digest([("f.yaml", "# 1\n"), ("x.yaml", "# 2\n# 3\n")]) != one)
    }

    private func errors(of path: String) -> [String] {
        do throws(ConfigurationErrors) {
            _ = try Configuration.load(path: path)
            return []
        } catch {
            return error.errors.map(\.description)
        }
    }
}

/// Makes a directory with these files for the body, and removes it.
func withDirectory(_ files: [String: String], _ body: (String) throws -> Void) throws {
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
