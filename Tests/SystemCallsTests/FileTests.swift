// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Testing

@testable import SystemCalls

/// A directory that is gone when the value goes.
final class TemporaryDirectory {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("fwmarkd-files-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    subscript(name: String) -> String { path + "/" + name }

    func write(_ name: String, _ bytes: [UInt8]) throws -> String {
        try Data(bytes).write(to: URL(fileURLWithPath: self[name]))
        return self[name]
    }
}

private func failure(_ body: () throws -> Void) -> SystemError? {
    do {
        try body()
        return nil
    } catch {
        return error as? SystemError
    }
}

@Suite("Files are read in bounded time and memory")
struct ReadingTests {
    @Test("A file is read whole up to the limit, and refused one byte above it", arguments: [0, 1, 65_536, 65_537, 200_000])
    func limit(_ count: Int) throws {
        let directory = try TemporaryDirectory()
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let path = try directory.write("file", bytes)
        #expect(try RegularFile.read(path, limit: count) == bytes)
        guard count > 0 else { return }
        let error = failure { _ = try RegularFile.read(path, limit: count - 1) }
        #expect(error?.reason == .tooLarge(limit: count - 1))
    }

    @Test(
        "A FIFO, a device, a directory and a socket are refused at once",
        arguments: ["a FIFO", "a device", "a directory", "a socket"])
    func otherKinds(_ kind: String) throws {
        let directory = try TemporaryDirectory()
        var path = directory["x"]
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        switch kind {
        case "a FIFO": #expect(mkfifo(path, 0o600) == 0)
        case "a device": path = "/dev/zero"
        case "a directory": #expect(mkdir(path, 0o700) == 0)
        default:
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
            let result = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
            #expect(result == 0)
        }
        let error = failure { _ = try RegularFile.read(path, limit: 100) }
        #expect(error?.reason == .wrongKind("\(kind), not a regular file"))
        #expect(error?.description == "reading \(path): it is \(kind), not a regular file")
        // By way of a symbolic link as well.
        #expect(symlink(path, directory["link"]) == 0)
        #expect(failure { _ = try RegularFile.read(directory["link"], limit: 100) } != nil)
    }

    @Test("A missing file and one without permission are different errors")
    func missing() throws {
        let directory = try TemporaryDirectory()
        let error = failure { _ = try RegularFile.read(directory["none"], limit: 100) }
        #expect(error?.isMissing == true && error?.errno == ENOENT)
        #expect(error?.description == "opening \(directory["none"]): No such file or directory")
    }

    @Test("Files of /proc, whose size is given as zero, are read")
    func proc() throws {
        #expect(try RegularFile.read("/proc/self/statm", limit: 1000).isEmpty == false)
    }

    @Test("A system call that a signal interrupts is made again")
    func interrupted() throws {
        var attempts = 0
        let result: Int = try systemCall("waiting") {
            attempts += 1
            errno = EINTR
            return attempts < 3 ? -1 : 7
        }
        #expect(result == 7 && attempts == 3)
    }

    @Test("A number that the kernel does not use is reported as it is")
    func unknownNumber() {
        #expect(SystemError.text(errno: CInt.max) == "error 2147483647")
        #expect(SystemError.text(errno: CInt.min) == "error -2147483648")
    }
}

@Suite("Files are replaced whole or not at all")
struct ReplacingTests {
    @Test("The new contents and mode are there, nothing else is left")
    func replaces() throws {
        let directory = try TemporaryDirectory()
        let path = try directory.write("file", Array("old".utf8))
        // Not what the umask leaves of it.
        try RegularFile.replace(path, with: Array("new".utf8), mode: 0o666)
        #expect(try RegularFile.read(path, limit: 10) == Array("new".utf8))
        #expect(try Directory.names(in: directory.path) == [Array("file".utf8)])
        #expect(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int == 0o666)
    }

    @Test("A FIFO or a symbolic link in the way is replaced, and what the link names is left alone")
    func obstacles() throws {
        let directory = try TemporaryDirectory()
        let other = try directory.write("other", Array("keep".utf8))
        for suffix in ["", ".new"] {
            #expect(mkfifo(directory["fifo" + suffix], 0o600) == 0)
            #expect(symlink(other, directory["link" + suffix]) == 0)
        }
        for name in ["fifo", "link"] {
            try RegularFile.replace(directory[name], with: [65], mode: 0o600)
            #expect(try RegularFile.read(directory[name], limit: 10) == [65])
        }
        #expect(try RegularFile.read(other, limit: 10) == Array("keep".utf8))
    }

    @Test("A missing directory is an error, and nothing is left behind")
    func noDirectory() throws {
        let directory = try TemporaryDirectory()
        let error = failure { try RegularFile.replace(directory["none/file"], with: [], mode: 0o600) }
        #expect(error?.isMissing == true)
        // A directory of that name cannot be replaced by a file.
        #expect(mkdir(directory["taken"], 0o700) == 0)
        #expect(failure { try RegularFile.replace(directory["taken"], with: [65], mode: 0o600) } != nil)
        #expect(try Directory.names(in: directory.path) == [Array("taken".utf8)])
    }
}

@Suite("Directories")
struct DirectoryTests {
    @Test("Names come as bytes, in the order of their bytes")
    func names() throws {
        let directory = try TemporaryDirectory()
        let odd: [UInt8] = [0xff, 0xfe]
        let path = directory.path.utf8CString.dropLast().map { UInt8(bitPattern: $0) } + [UInt8(ascii: "/")] + odd
        let descriptor = (path + [0]).withUnsafeBytes { open($0.baseAddress!.assumingMemoryBound(to: CChar.self), O_CREAT, 0o600) }
        #expect(descriptor >= 0)
        close(descriptor)
        for name in ["b", "a", "B"] { _ = try directory.write(name, []) }
        #expect(try Directory.names(in: directory.path) == [Array("B".utf8), Array("a".utf8), Array("b".utf8), odd])
        #expect(failure { _ = try Directory.names(in: directory["none"]) }?.isMissing == true)
    }

    @Test("A directory of one's own is made with its mode, and taken again")
    func own() throws {
        let directory = try TemporaryDirectory()
        let before = umask(0o077)
        defer { umask(before) }
        _ = try Directory.own(directory["run"], mode: 0o755)
        #expect(try FileManager.default.attributesOfItem(atPath: directory["run"])[.posixPermissions] as? Int == 0o755)
        _ = try Directory.own(directory["run"], mode: 0o755)
    }

    @Test("A symbolic link, a file, another user's directory and one that others write to are refused")
    func foreign() throws {
        let directory = try TemporaryDirectory()
        func refusal(_ name: String) -> SystemError.Reason? {
            failure { _ = try Directory.own(directory[name], mode: 0o755) }?.reason
        }
        #expect(mkdir(directory["real"], 0o700) == 0)
        #expect(symlink(directory["real"], directory["link"]) == 0)
        #expect(refusal("link") == .wrongKind("a symbolic link, not a directory"))
        _ = try directory.write("file", [])
        #expect(refusal("file") == .wrongKind("a regular file, not a directory"))
        #expect(mkdir(directory["open"], 0o700) == 0)
        #expect(chmod(directory["open"], 0o777) == 0)
        #expect(refusal("open") == .untrusted("others may write to it"))
        guard geteuid() == 0 else {
            print("another user's directory: not tried, that needs root")
            return
        }
        #expect(mkdir(directory["foreign"], 0o755) == 0)
        #expect(chown(directory["foreign"], 65534, 65534) == 0)
        #expect(refusal("foreign") == .untrusted("it belongs to user 65534, not to user 0"))
    }

    @Test("The parent of a path", arguments: [("a", "."), ("/a", "/"), ("/a/b", "/a"), ("a/b/c", "a/b")])
    func parent(_ path: String, _ expected: String) { #expect(Directory.parent(of: path) == expected) }
}
