// SPDX-License-Identifier: GPL-2.0-or-later
import Glibc
import Testing

@testable import Systemd

/// A socket that listens as the service manager does.
private struct Listener: ~Copyable {
    let path: String
    private let descriptor: CInt

    init(isAbstract: Bool) {
        path =
            isAbstract
            ? "@fwmarkd-test-\(getpid())-\(UInt32.random(in: 0 ... .max))"
            : "/tmp/fwmarkd-notify-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        descriptor = socket(AF_UNIX, CInt(SOCK_DGRAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let name = Array(path.utf8)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: isAbstract ? [0] + name.dropFirst() : name) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + name.count)
        withUnsafePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) { _ = bind(descriptor, $0, length) }
        }
    }

    deinit {
        close(descriptor)
        if !path.hasPrefix("@") { unlink(path) }
    }

    func receive() -> String {
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = recv(descriptor, &bytes, bytes.count, CInt(MSG_DONTWAIT))
        return String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self)
    }
}

@Suite("Notifications to the service manager")
struct ServiceNotifierTests {
    @Test("One datagram with an assignment a line, to a path and to an abstract name", arguments: [false, true])
    func sends(isAbstract: Bool) {
        let listener = Listener(isAbstract: isAbstract)
        let notifier = ServiceNotifier(path: listener.path)
        #expect(notifier.send(.ready, .status("in sync\nREADY=0")))
        #expect(listener.receive() == "READY=1\nSTATUS=in sync\\nREADY=0")
        #expect(notifier.send(.watchdog, .watchdogInterval(.milliseconds(1500)), .stopping))
        #expect(listener.receive() == "WATCHDOG=1\nWATCHDOG_USEC=1500000\nSTOPPING=1")
        #expect(notifier.send(.reloading))
        let reloading = listener.receive().split(separator: "\n")
        #expect(reloading.first == "RELOADING=1" && reloading.last?.hasPrefix("MONOTONIC_USEC=") == true)
    }

    @Test("A service manager that does not read is not waited for, and hears the newest of each kind when it reads again")
    func neverReads() {
        let listener = Listener(isAbstract: false)
        let notifier = ServiceNotifier(path: listener.path)
        let start = ContinuousClock.now
        var sent = 0
        // The queue of a datagram socket is short (net.unix.max_dgram_qlen).
        while sent < 10_000, notifier.send(.watchdog) { sent += 1 }
        #expect(sent < 10_000, "the queue was never full")
        for number in 1...100 { notifier.send(.ready, .status("\(number)")) }
        #expect(ContinuousClock.now - start < .milliseconds(500))
        for _ in 0..<sent { #expect(listener.receive() == "WATCHDOG=1") }
        #expect(listener.receive() == "")
        notifier.sendAgain()
        #expect(listener.receive() == "READY=1\nSTATUS=100")
        notifier.sendAgain()
        #expect(listener.receive() == "", "once is enough")
    }

    @Test(
        "Without a service manager nothing is sent, and nothing fails",
        arguments: [nil, "", "/nonexistent/socket", String(repeating: "x", count: 200)])
    func nobody(path: String?) {
        #expect(!ServiceNotifier(path: path).send(.ready))
    }
}
