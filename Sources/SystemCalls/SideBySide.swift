// SPDX-License-Identifier: GPL-2.0-or-later
import Glibc
import Synchronization

/// Runs both at once, the second in a thread of its own; returns when both are done.
///
/// A thread begins in the network namespace of the thread that makes it, so both see the same tables. Where no thread can be
/// made, they run one after the other.
package func sideBySide<First: Sendable, Second: Sendable>(
    _ first: () -> First, _ second: @Sendable () -> Second
) -> (First, Second) {
    withoutActuallyEscaping(second) { second in
        let result = Box<Second>()
        let work = Work { result.value.withLock { $0 = second() } }
        var thread = pthread_t()
        let isMade =
            pthread_create(
                &thread, nil,
                { work in
                    Memory.beginThread()
                    work.map { Unmanaged<Work>.fromOpaque($0).takeUnretainedValue().body() }
                    return nil
                }, Unmanaged.passUnretained(work).toOpaque()) == 0
        let value = first()
        if isMade { pthread_join(thread, nil) }
        return withExtendedLifetime(work) { (value, result.value.withLock { $0.take() } ?? second()) }
    }
}

/// What a thread does.
final class Work: Sendable {
    let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}

/// Room for what comes of it.
private final class Box<Value: Sendable>: Sendable {
    let value = Mutex<Value?>(nil)
}
