// SPDX-License-Identifier: GPL-2.0-or-later
import CMemory
import Glibc

/// How the process gets its memory from the kernel.
package enum Memory {
    /// For a program that does one thing and ends: memory is taken in large steps, and kept until the end.
    ///
    /// Left to itself, glibc takes what a second thread needs page by page, with a system call for each, and gives large arrays
    /// back after each use. Both show in a run of a tenth of a second (docs/performance.md).
    package static func takeGenerously() { cmemory_take_generously() }

    /// For a thread of such a program that begins: it works on a part of the same.
    static func beginThread() { cmemory_begin_thread() }

    /// Leaves a value to such a program's end, where all memory goes back at once. To take apart what tens of thousands of rules
    /// were made of takes milliseconds.
    package static func leave<Value>(_ value: Value) { _ = Unmanaged.passRetained(Left(value)) }

    /// For a program that goes on after a large piece of work: what that left free goes back to the kernel.
    ///
    /// Of 350 MB that a daemon with 100,000 services has after its start, 80 are free.
    package static func giveBack() { cmemory_give_back() }

    private final class Left<Value> {
        let value: Value
        init(_ value: Value) { self.value = value }
    }

    /// For such a program that is to read the file and work on what is in it.
    ///
    /// Where tens of megabytes will be needed, the kernel is asked for pages of two megabytes, each of which takes one fault in place
    /// of five hundred.
    package static func expect(fileAt path: String) {
        var file = stat()
        if stat(path, &file) == 0, file.st_size > 1 << 20 { cmemory_take_huge_pages() }
    }
}
