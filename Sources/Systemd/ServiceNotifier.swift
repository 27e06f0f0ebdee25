// SPDX-License-Identifier: GPL-2.0-or-later
import Glibc
import Rules
import Synchronization

/// Reports the daemon's state to the service manager, by datagrams to the socket in `NOTIFY_SOCKET` (sd_notify(3)).
///
/// Without a service manager that listens every message is dropped silently. One that does not read is never waited for: what it
/// has missed is sent again with the next message.
package final class ServiceNotifier: Sendable {
    /// What can be sent.
    package enum Message: Sendable, Hashable {
        /// The rules are in the kernel.
        case ready
        /// The configuration is being read again.
        case reloading
        /// The daemon is about to end.
        case stopping
        /// The daemon makes progress.
        case watchdog
        /// From now on a sign of progress comes within this time.
        case watchdogInterval(Duration)
        /// A line for `systemctl status`.
        case status(String)

        /// The variable that is assigned.
        var kind: String { String(text.prefix { $0 != "=" }) }

        /// The assignment as the protocol writes it.
        var text: String {
            switch self {
            case .ready: "READY=1"
            case .reloading: "RELOADING=1\nMONOTONIC_USEC=\(monotonicMicroseconds())"
            case .stopping: "STOPPING=1"
            case .watchdog: "WATCHDOG=1"
            case .watchdogInterval(let interval): "WATCHDOG_USEC=\(microseconds(interval))"
            // A line feed would begin another assignment.
            case .status(let line): "STATUS=" + printable(line)
            }
        }
    }

    /// The socket's path; `@` before it names one in the abstract namespace; nil: nobody listens.
    private let path: String?
    /// The service manager expects a sign of progress within this time; nil: it does not.
    package let watchdogInterval: Duration?

    /// The service manager that started this process, as the environment names it.
    package convenience init() {
        let watchdog = variable("WATCHDOG_USEC").flatMap { Int64($0) }.flatMap { $0 > 0 ? Duration.microseconds($0) : nil }
        let isForUs = variable("WATCHDOG_PID").map { $0 == "\(getpid())" } ?? true
        self.init(path: variable("NOTIFY_SOCKET"), watchdogInterval: isForUs ? watchdog : nil)
    }

    /// A service manager that listens on the socket.
    package init(path: String?, watchdogInterval: Duration? = nil) {
        self.path = path
        self.watchdogInterval = watchdogInterval
        descriptor = path?.isEmpty == false ? socket(AF_UNIX, CInt(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0) : -1
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// Opened once: there may be no descriptor left when it matters.
    private let descriptor: CInt
    /// What a service manager that did not read has still to get, the newest of each kind.
    private let unsent = Mutex<[Message]>([])

    /// Sends the messages in one datagram, with those before that could not be sent.
    ///
    /// - Returns: whether they were sent; false too if nobody listens.
    @discardableResult
    package func send(_ messages: Message...) -> Bool {
        unsent.withLock { unsent in
            let all = unsent.filter { old in !messages.contains { $0.kind == old.kind } } + messages
            let result = transmit(all)
            unsent = result == .full ? all.filter { $0.kind != "WATCHDOG" } : []
            return result == .sent
        }
    }

    /// Sends what could not be sent before. Called now and then.
    package func sendAgain() {
        let isNeeded = unsent.withLock { !$0.isEmpty }
        if isNeeded { send() }
    }

    private enum Result { case sent, full, nobody }

    private func transmit(_ messages: [Message]) -> Result {
        guard let path, descriptor >= 0 else { return .nobody }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let name = Array(path.utf8)
        guard name.count < MemoryLayout.size(ofValue: address.sun_path) else { return .nobody }
        withUnsafeMutableBytes(of: &address.sun_path) { field in
            field.copyBytes(from: name)
            if name.first == UInt8(ascii: "@") { field[0] = 0 }
        }
        // The length counts: an abstract name is not ended by a NUL.
        let length = socklen_t(MemoryLayout<sa_family_t>.size + name.count)
        let text = Array(messages.map(\.text).joined(separator: "\n").utf8)
        let sent = withUnsafePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(descriptor, text, text.count, CInt(MSG_NOSIGNAL | MSG_DONTWAIT), $0, length)
            }
        }
        if sent == text.count { return .sent }
        return errno == EAGAIN || errno == ENOBUFS ? .full : .nobody
    }
}

private func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

private func microseconds(_ duration: Duration) -> Int64 {
    // What overflows is as good as forever.
    duration.components.seconds > 1 << 40
        ? .max : duration.components.seconds * 1_000_000 + duration.components.attoseconds / 1_000_000_000_000
}

private func monotonicMicroseconds() -> Int64 {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return Int64(now.tv_sec) * 1_000_000 + Int64(now.tv_nsec) / 1000
}
