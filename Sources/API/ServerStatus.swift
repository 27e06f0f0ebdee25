// SPDX-License-Identifier: GPL-2.0-or-later
/// A socket that the daemon answers on, or wants to.
package struct ServerStatus: Codable, Sendable, Hashable {
    /// `status`, `control` or `http`.
    package var name: String
    /// The socket's path, or address and port.
    package var address: String
    /// Whether it listens.
    package var isListening: Bool
    /// Why it does not; absent if it does. It is tried again in growing pauses of at most a minute.
    package var error: String?

    /// A status of these parts.
    package init(name: String, address: String, isListening: Bool, error: String? = nil) {
        (self.name, self.address, self.isListening, self.error) = (name, address, isListening, error)
    }
}
