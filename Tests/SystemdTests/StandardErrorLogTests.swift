import Logging
import Testing

@testable import Systemd

@Suite("The log on standard error")
struct StandardErrorLogTests {
    @Test(
        "The journal gets a priority before every line",
        arguments: [
            (Logger.Level.trace, "<7>"), (.debug, "<7>"), (.info, "<6>"), (.notice, "<5>"), (.warning, "<4>"), (.error, "<3>"),
            (.critical, "<2>"),
        ])
    func journal(level: Logger.Level, head: String) {
        #expect(StandardErrorLog(isJournal: true).line(level, "one\n\ntwo") == "\(head)one\n\(head)\n\(head)two\n")
    }

    @Test("A person gets the time and the level")
    func person() throws {
        let line = StandardErrorLog(isJournal: false).line(.warning, "one")
        #expect(try /\d{4}-\d\d-\d\d \d\d:\d\d:\d\d warning: one\n/.wholeMatch(in: line) != nil, "\(line)")
    }
}
