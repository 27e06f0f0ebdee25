import Glibc
package import Logging

/// A log on standard error: with `<N>` priorities where the journal reads it (sd-daemon(3)), with times where a person does.
package struct StandardErrorLog: LogHandler {
    /// Lines less severe than this are left out.
    package var logLevel = Logger.Level.info
    /// What is added to every line.
    package var metadata = Logger.Metadata()

    private let isJournal: Bool

    /// A log on this process's standard error.
    package init() { self.init(isJournal: journalReadsStandardError()) }

    init(isJournal: Bool) { self.isJournal = isJournal }

    /// What is added to every line.
    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    /// Writes the line in one piece.
    package func log(event: LogEvent) {
        var text = event.message.description
        for (key, value) in metadata.merging(event.metadata ?? [:], uniquingKeysWith: { $1 }).sorted(by: { $0.key < $1.key }) {
            text += " \(key)=\(value)"
        }
        if let error = event.error { text += ": \(error)" }
        let bytes = Array(line(event.level, text).utf8)
        _ = write(STDERR_FILENO, bytes, bytes.count)
    }

    func line(_ level: Logger.Level, _ text: String) -> String {
        // The journal takes every line for a message of its own.
        let head = isJournal ? "<\(priority(level))>" : "\(localTime()) \(level): "
        return text.split(separator: "\n", omittingEmptySubsequences: false).map { "\(head)\($0)\n" }.joined()
    }

    /// The priority of syslog(3).
    private func priority(_ level: Logger.Level) -> CInt {
        switch level {
        case .trace, .debug: LOG_DEBUG
        case .info: LOG_INFO
        case .notice: LOG_NOTICE
        case .warning: LOG_WARNING
        case .error: LOG_ERR
        case .critical: LOG_CRIT
        }
    }
}

/// Whether `JOURNAL_STREAM` names the device and inode of standard error (systemd.exec(5)).
private func journalReadsStandardError() -> Bool {
    guard let stream = getenv("JOURNAL_STREAM") else { return false }
    var status = stat()
    guard fstat(STDERR_FILENO, &status) == 0 else { return false }
    return String(cString: stream) == "\(status.st_dev):\(status.st_ino)"
}

private func localTime() -> String {
    var now = time(nil)
    var parts = tm()
    localtime_r(&now, &parts)
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 32) { text in
        strftime(text.baseAddress, text.count, "%F %T", &parts)
        return text.baseAddress.map { String(cString: $0) } ?? ""
    }
}
