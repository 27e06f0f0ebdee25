// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Netfilter
import Testing

@Suite("The xtables lock")
struct XtablesLockTests {
    private let path = FileManager.default.temporaryDirectory.appendingPathComponent("fwmarkd-lock-\(UUID())").path

    @Test("It is taken where it is free, not waited for where it is held, and free again when the value goes")
    func takenOnce() throws {
        defer { try? FileManager.default.removeItem(atPath: path) }
        guard let lock = try XtablesLock(ifFreeAt: path) else {
            Issue.record("a new lock file is not free")
            return
        }
        #expect(try !isFree())
        release(lock)
        #expect(try isFree())
    }

    private func isFree() throws -> Bool {
        if let lock = try XtablesLock(ifFreeAt: path) {
            release(lock)
            return true
        }
        return false
    }

    private func release(_ lock: consuming XtablesLock) {}

    @Test("A lock file that cannot be opened is an error that names it")
    func unavailable() {
        let path = path + "/none"
        do throws(NetfilterError) {
            _ = try XtablesLock(ifFreeAt: path)
            Issue.record("it is taken")
        } catch {
            #expect(error.code == .lockUnavailable && error.message.contains(path))
        }
    }
}
