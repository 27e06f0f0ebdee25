import Glibc

/// Tells the service manager how the daemon is, by datagrams to the socket in `NOTIFY_SOCKET` (sd_notify(3)).
///
/// Without a service manager that listens every message is dropped silently.
package struct ServiceNotifier: Sendable {
    /// What can be told.
    package enum Message: Sendable, Hashable {
        /// The rules are in the kernel.
        case ready
        /// The configuration is being read again.
        case reloading
        /// The daemon is about to end.
        case stopping
        /// The daemon makes progress.
        case watchdog
        /// From now on progress is told within this time.
        case watchdogInterval(Duration)
        /// A line for `systemctl status`.
        case status(String)

        /// The assignment as the protocol writes it.
        var text: String {
            switch self {
            case .ready: "READY=1"
            case .reloading: "RELOADING=1\nMONOTONIC_USEC=\(monotonicMicroseconds())"
            case .stopping: "STOPPING=1"
            case .watchdog: "WATCHDOG=1"
            case .watchdogInterval(let interval): "WATCHDOG_USEC=\(microseconds(interval))"
            // A line feed would begin another assignment.
            case .status(let line): "STATUS=" + line.map { $0 == "\n" ? " " : String($0) }.joined()
            }
        }
    }

    /// The socket's path; `@` before it names one in the abstract namespace; nil: nobody listens.
    private let path: String?
    /// Within which time the service manager wants to hear of progress; nil: it does not wait for it.
    package let watchdogInterval: Duration?

    /// The service manager that started this process, as the environment names it.
    package init() {
        let watchdog = variable("WATCHDOG_USEC").flatMap(Int64.init).map { Duration.microseconds($0) }
        let isForUs = variable("WATCHDOG_PID").map { $0 == "\(getpid())" } ?? true
        self.init(path: variable("NOTIFY_SOCKET"), watchdogInterval: isForUs ? watchdog : nil)
    }

    /// A service manager that listens on the socket.
    package init(path: String?, watchdogInterval: Duration? = nil) {
        self.path = path
        self.watchdogInterval = watchdogInterval
    }

    /// How long a service manager that does not read may hold the daemon up, by one message.
    private static let patience = timeval(tv_sec: 1, tv_usec: 0)

    /// Sends the messages in one datagram; waits a second at most while the service manager does not read.
    ///
    /// - Returns: whether it was sent; false too if nobody listens.
    @discardableResult
    package func send(_ messages: Message...) -> Bool {
        guard let path, !path.isEmpty else { return false }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let name = Array(path.utf8)
        guard name.count < MemoryLayout.size(ofValue: address.sun_path) else { return false }
        withUnsafeMutableBytes(of: &address.sun_path) { field in
            field.copyBytes(from: name)
            if name.first == UInt8(ascii: "@") { field[0] = 0 }
        }
        // The length counts: an abstract name is not ended by a NUL.
        let length = socklen_t(MemoryLayout<sa_family_t>.size + name.count)
        let descriptor = socket(AF_UNIX, CInt(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        // A datagram to a full queue waits for its reader, for ever if it may.
        var patience = ServiceNotifier.patience
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        let text = Array(messages.map(\.text).joined(separator: "\n").utf8)
        let sent = withUnsafePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(descriptor, text, text.count, CInt(MSG_NOSIGNAL), $0, length)
            }
        }
        return sent == text.count
    }
}

private func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

private func microseconds(_ duration: Duration) -> Int64 {
    duration.components.seconds * 1_000_000 + duration.components.attoseconds / 1_000_000_000_000
}

private func monotonicMicroseconds() -> Int64 {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return Int64(now.tv_sec) * 1_000_000 + Int64(now.tv_nsec) / 1000
}
