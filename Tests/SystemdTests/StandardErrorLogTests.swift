// SPDX-License-Identifier: GPL-2.0-or-later
import Glibc
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

    @Test("Nothing from outside begins a line or an escape sequence of its own")
    func hostile() {
        let line = StandardErrorLog(isJournal: true).line(.warning, "a\u{1b}[2J\r\n<0>b\u{202e}c\0")
        #expect(line == "<4>a\\u{1B}[2J\\r\n<4><0>b\\u{202E}c\\0\n")
    }

    @Test("An unread standard error blocks nothing; dropped lines are counted, and the count is written when it is read again")
    func neverRead() throws {
        var ends: [CInt] = [0, 0]
        try #require(pipe(&ends) == 0)
        let ring = LogRing(descriptor: ends[1], byteLimit: 10_000) { Array("dropped \($0)\n".utf8) }
        let start = ContinuousClock.now
        let line = Array((String(repeating: "x", count: 99) + "\n").utf8)
        for _ in 0..<20_000 { ring.add(line) }
        ring.add(Array("last\n".utf8))
        #expect(ContinuousClock.now - start < .seconds(5))
        #expect(ring.dropped > 10_000)
        ring.drain(milliseconds: 10)
        var text = ""
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while !text.hasSuffix("last\n") {
            let count = read(ends[0], &chunk, chunk.count)
            try #require(count > 0)
            text += String(decoding: chunk[..<count], as: UTF8.self)
        }
        let told = text.split(separator: "\n").filter { $0.hasPrefix("dropped ") }.compactMap { UInt64($0.dropFirst(8)) }
        #expect(told.reduce(0, +) == ring.dropped)
        let lines = text.split(separator: "\n").count { $0.hasPrefix("x") }
        #expect(UInt64(lines) + ring.dropped == 20_000)
    }

    @Test("The end of the process waits until all is written")
    func drains() throws {
        var ends: [CInt] = [0, 0]
        try #require(pipe(&ends) == 0)
        let ring = LogRing(descriptor: ends[1]) { _ in [] }
        for number in 0..<100 { ring.add(Array("\(number)\n".utf8)) }
        ring.drain(milliseconds: 5000)
        var chunk = [UInt8](repeating: 0, count: 65_536)
        let count = read(ends[0], &chunk, chunk.count)
        #expect(String(decoding: chunk[..<max(count, 0)], as: UTF8.self).hasSuffix("\n99\n"))
    }
}
