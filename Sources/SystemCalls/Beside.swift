// SPDX-License-Identifier: GPL-2.0-or-later
import Glibc

/// Work that a thread of its own does while its maker does something else. It is waited for at the latest when the value goes.
package final class Beside: Sendable {
    private let thread: pthread_t?

    /// Begins with it; where no thread can be made, does it at once.
    package init(_ body: @escaping @Sendable () -> Void) {
        let work = Unmanaged.passRetained(Work(body))
        var thread = pthread_t()
        let isMade =
            pthread_create(
                &thread, nil,
                { work in
                    work.map { Unmanaged<Work>.fromOpaque($0).takeRetainedValue().body() }
                    return nil
                }, work.toOpaque()) == 0
        self.thread = isMade ? thread : nil
        if !isMade { work.takeRetainedValue().body() }
    }

    deinit {
        if let thread { pthread_join(thread, nil) }
    }
}
