/// What makes the daemon compare.
package enum Trigger: String, Codable, Sendable, Hashable, CaseIterable {
    /// Its start.
    case boot
    /// SIGHUP, or a request to read the file again.
    case reload
    /// A request to compare.
    case request
    /// `resync-interval`.
    case resync
    /// A table's size is not what it was.
    case size
    /// Somebody took the xtables lock.
    case lock
    /// The last attempt failed, or was undone by somebody.
    case retry
}
