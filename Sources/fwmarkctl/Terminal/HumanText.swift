// SPDX-License-Identifier: GPL-2.0-or-later
import FoundationEssentials
import Glibc

/// Numbers and times as people read them.
enum HumanText {
    /// A number of bytes with a binary unit: `512 B`, `1.2 KiB`.
    static func bytes(_ number: UInt64) -> String { bytes(Double(number)) }

    /// The like for rates.
    static func bytes(_ number: Double) -> String {
        let units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
        var number = number
        guard number >= 1024 else { return "\(whole(number)) B" }
        var unit = -1
        // 1023.95 would be shown as 1024.0.
        while number >= 1023.95, unit < units.count - 1 {
            number /= 1024
            unit += 1
        }
        return "\(oneDecimal(number)) \(units[unit])"
    }

    /// The number as it can be shown: what comes from a daemon may be anything, also no number at all.
    private static func whole(_ number: Double) -> Int {
        number.isNaN ? 0 : Int(max(-1e15, min(1e15, number)).rounded(.towardZero))
    }

    /// With one digit after the point, and none where it is zero.
    static func oneDecimal(_ number: Double) -> String {
        let tenths = whole((number * 10).rounded())
        return tenths % 10 == 0 ? "\(tenths / 10)" : "\(tenths / 10).\(tenths % 10)"
    }

    /// Seconds in the two largest units that count: `12 s`, `3 min`, `2 h 5 min`, `3 d 4 h`.
    static func duration(seconds: Int) -> String {
        let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400)
        if days > 0 { return hours % 24 == 0 ? "\(days) d" : "\(days) d \(hours % 24) h" }
        if hours > 0 { return minutes % 60 == 0 ? "\(hours) h" : "\(hours) h \(minutes % 60) min" }
        return minutes > 0 ? "\(minutes) min" : "\(seconds) s"
    }

    /// The same for a time that has passed since; one in the future is none.
    static func duration(since time: Date) -> String {
        duration(seconds: max(0, whole(Date.now.timeIntervalSince(time))))
    }

    /// Local time: `2026-11-25 13:04:08`.
    static func time(_ time: Date) -> String {
        var seconds = time_t(whole(time.timeIntervalSince1970.rounded(.down)))
        var parts = tm()
        localtime_r(&seconds, &parts)
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 32) { text in
            let count = strftime(text.baseAddress, text.count, "%Y-%m-%d %H:%M:%S", &parts)
            return String(decoding: UnsafeRawBufferPointer(text)[..<count], as: UTF8.self)
        }
    }

    /// The text in lines of at most `width` characters (nil: one line), broken at spaces where there are any.
    static func wrapped(_ text: String, width: Int?) -> [String] {
        guard let width, text.count > width else { return [text] }
        var lines: [String] = []
        var line = ""
        for word in text.split(separator: " ", omittingEmptySubsequences: false) {
            var word = String(word)
            if !line.isEmpty, line.count + 1 + word.count <= width {
                line += " " + word
                continue
            }
            if !line.isEmpty { lines.append(line) }
            while word.count > width {
                lines.append(String(word.prefix(width)))
                word = String(word.dropFirst(width))
            }
            line = word
        }
        return line.isEmpty ? lines : lines + [line]
    }
}
