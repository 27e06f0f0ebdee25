// SPDX-License-Identifier: GPL-2.0-or-later
import API

/// Signs that another program may be writing: the xtables lock is taken or released, or the kernel's audit log names a table.
///
/// A script of several `iptables` calls is left alone until it is quiet: a jump put back between its `-F` and its `-X` makes it
/// stop half-way.
struct Hint<Instant: InstantProtocol>: Sendable, Hashable where Instant.Duration == Duration {
    /// How long it has to be quiet before anything is compared.
    static var quiet: Duration { .milliseconds(25) }
    /// How long a writer that is never quiet is waited for.
    static var patience: Duration { .milliseconds(250) }

    /// When it is compared after the keeper's own use of the lock: an event of another program may have been counted as one of its own.
    static var afterOwnUse: Duration { .milliseconds(250) }

    /// What gave the first sign.
    let trigger: Trigger
    /// Whether all that was seen was the keeper itself.
    let isOwn: Bool
    private let first: Instant
    private var last: Instant

    init(_ trigger: Trigger, isOwn: Bool = false, at now: Instant) {
        self.trigger = trigger
        self.isOwn = isOwn
        (first, last) = (now, now)
    }

    /// Another sign.
    mutating func add(_ trigger: Trigger, isOwn: Bool, at now: Instant) {
        switch (self.isOwn, isOwn) {
        case (true, false): self = Hint(trigger, at: now)
        case (false, true): break
        default: last = max(last, now)
        }
    }

    /// When to compare, if no other sign comes.
    var due: Instant {
        isOwn ? first.advanced(by: Hint.afterOwnUse) : min(last.advanced(by: Hint.quiet), first.advanced(by: Hint.patience))
    }
}
