// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Foundation
import Testing

@Suite("The files as they are on the disk")
struct FilesOnDiskTests {
    /// What is done to the directory, and whether that changes what would be read.
    struct Step: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var isChange: Bool
        var body: @Sendable (String) throws -> Void
    }

    static let steps = [
        Step(testDescription: "nothing", isChange: false) { _ in },
        Step(testDescription: "the file is written", isChange: true) {
            try "daemon: {}\n".write(toFile: $0 + "/fwmarkd.yaml", atomically: false, encoding: .utf8)
        },
        Step(testDescription: "the file is replaced by one of the same length and time", isChange: true) { directory in
            let (old, new) = (directory + "/fwmarkd.yaml", directory + "/new")
            try "services: [ ]".write(toFile: new, atomically: false, encoding: .utf8)
            // To the nanosecond, as cp -p does it.
            var status = stat()
            #expect(stat(old, &status) == 0)
            #expect(utimensat(AT_FDCWD, new, [status.st_atim, status.st_mtim], 0) == 0)
            #expect(rename(new, old) == 0)
        },
        Step(testDescription: "the file is removed", isChange: true) { #expect(unlink($0 + "/fwmarkd.yaml") == 0) },
        Step(testDescription: "a file comes into conf.d", isChange: true) {
            try "".write(toFile: $0 + "/conf.d/b.yaml", atomically: false, encoding: .utf8)
        },
        Step(testDescription: "a file leaves conf.d", isChange: true) { #expect(unlink($0 + "/conf.d/a.yaml") == 0) },
        Step(testDescription: "a file comes that is not read", isChange: false) {
            try "".write(toFile: $0 + "/conf.d/b.yml", atomically: false, encoding: .utf8)
        },
        Step(testDescription: "the file is read, and its mode is changed", isChange: false) { directory in
            _ = try Data(contentsOf: URL(fileURLWithPath: directory + "/fwmarkd.yaml"))
            #expect(chmod(directory + "/fwmarkd.yaml", 0o640) == 0)
        },
    ]

    @Test("What changes what would be read is a change, and nothing else is", arguments: steps)
    func changes(_ step: Step) throws {
        try withDirectory(["fwmarkd.yaml": "services: []\n", "conf.d/a.yaml": "services: []\n"]) { directory in
            let before = FilesOnDisk(of: directory + "/fwmarkd.yaml")
            try step.body(directory)
            let after = FilesOnDisk(of: directory + "/fwmarkd.yaml")
            #expect((after.change(since: before, now: 1) != nil) == step.isChange)
        }
    }

    @Test("A change is as old as the latest file that is not as it was; where one has gone, it is found now")
    func time() throws {
        try withDirectory(["fwmarkd.yaml": "services: []\n", "conf.d/a.yaml": "", "conf.d/b.yaml": ""]) { directory in
            let before = FilesOnDisk(of: directory + "/fwmarkd.yaml")
            for (name, seconds) in [("a", 1_000_000_000.0), ("b", 1_100_000_000)] {
                try FileManager.default.setAttributes(
                    [.modificationDate: Date(timeIntervalSince1970: seconds)], ofItemAtPath: "\(directory)/conf.d/\(name).yaml")
            }
            #expect(FilesOnDisk(of: directory + "/fwmarkd.yaml").change(since: before, now: 1) == 1_100_000_000)
            let later = FilesOnDisk(of: directory + "/fwmarkd.yaml")
            unlink("\(directory)/conf.d/a.yaml")
            #expect(FilesOnDisk(of: directory + "/fwmarkd.yaml").change(since: later, now: 7) == 7)
        }
    }

    @Test("Files of conf.d with another ending are listed")
    func ignored() throws {
        try withDirectory(["fwmarkd.yaml": "", "conf.d/a.yml": "", "conf.d/b.yaml": "", "conf.d/.c": ""]) { directory in
            #expect(FilesOnDisk(of: directory + "/fwmarkd.yaml").ignored == ["\(directory)/conf.d/a.yml"])
        }
    }
}
