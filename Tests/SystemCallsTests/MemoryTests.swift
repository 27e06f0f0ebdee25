// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import SystemCalls
import Testing

@Suite("Memory")
struct MemoryTests {
    @Test("What is free between blocks that are still used goes back to the kernel")
    func giveBack() throws {
        var blocks = (0..<100_000).map { _ in [UInt8](repeating: 1, count: 640) }
        // What is free at the end of the heap goes back by itself.
        for index in blocks.indices where index % 1000 != 0 { blocks[index] = [] }
        let before = try residentPages()
        Memory.giveBack()
        let after = try residentPages()
        #expect((before - after) * sysconf(Int32(_SC_PAGESIZE)) > 32 << 20)
        #expect(blocks[99_000].count == 640)
    }

    /// The second number of /proc/self/statm, proc(5).
    private func residentPages() throws -> Int {
        let numbers = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")
        return try #require(Int(numbers[1]))
    }
}
