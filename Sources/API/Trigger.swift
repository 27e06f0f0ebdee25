// SPDX-License-Identifier: GPL-2.0-or-later
/// What makes the daemon compare.
package enum Trigger: String, Codable, Sendable, Hashable, CaseIterable {
    /// Its start.
    case boot
    /// SIGHUP, or a request to read the file again.
    case reload
    /// A request to compare.
    case request
    /// `check-interval`.
    case check
    /// Another program took the xtables lock, or the lock's file had to be watched again.
    case lock
    /// The kernel's audit log named a table that was replaced.
    case audit
    /// An attempt before failed.
    case retry
}
