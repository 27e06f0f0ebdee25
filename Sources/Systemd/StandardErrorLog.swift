// SPDX-License-Identifier: GPL-2.0-or-later
import Glibc
package import Logging
import Rules

/// A log on standard error: with `<N>` priorities where the journal reads it (sd-daemon(3)), with times where a person does. Nobody
/// who logs waits for it to be read.
package struct StandardErrorLog: LogHandler {
    /// Lines less severe than this are left out.
    package var logLevel = Logger.Level.info
    /// What is added to every line.
    package var metadata = Logger.Metadata()

    private let isJournal: Bool
    private let ring: LogRing?

    /// A log on this process's standard error.
    package init() { self.init(isJournal: journalReadsStandardError(), ring: StandardErrorLog.ring) }

    init(isJournal: Bool, ring: LogRing? = nil) {
        (self.isJournal, self.ring) = (isJournal, ring)
    }

    /// The one ring to standard error.
    package static let ring = LogRing(descriptor: STDERR_FILENO) { count in
        let log = StandardErrorLog(isJournal: journalReadsStandardError())
        return Array(log.line(.warning, "\(count) lines of the log were dropped here because nothing read it").utf8)
    }

    /// The metadata that names the kind of event a message is about: a field of its own in the journal, and not in the text.
    package static let eventKey = "event"

    /// What is added to every line.
    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    /// Adds the lines in one piece.
    package func log(event: LogEvent) {
        if isJournal, ring != nil, let kind = (event.metadata ?? [:])[StandardErrorLog.eventKey] {
            // One entry for the whole event. Where the journal does not take it, the lines go by standard error.
            let message = event.message.description.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false)
                .map { printable(String($0)) }.joined(separator: "\n")
            var entry = JournalEntry(priority: priority(event.level), message: message)
            entry.add(event: "\(kind)")
            if entry.send() { return }
        }
        var text = event.message.description
        for (key, value) in metadata.merging(event.metadata ?? [:], uniquingKeysWith: { $1 }).sorted(by: { $0.key < $1.key })
        where key != StandardErrorLog.eventKey {
            text += " \(key)=\(value)"
        }
        if let error = event.error { text += ": \(error)" }
        ring?.add(Array(line(event.level, text).utf8))
    }

    func line(_ level: Logger.Level, _ text: String) -> String {
        // The journal takes every line for a message of its own: each gets the priority, so that none can bring its own.
        let head = isJournal ? "<\(priority(level))>" : "\(localTime()) \(level): "
        // By unicode scalars: to a Character "\r\n" is one.
        return text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false)
            .map { "\(head)\(printable(String($0)))\n" }.joined()
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
