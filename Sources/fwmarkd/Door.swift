// SPDX-License-Identifier: GPL-2.0-or-later
/// Which way a request came in, and so what it may ask.
enum Door: Sendable, Hashable {
    /// `status.sock`: every user of this machine may read.
    case reading
    /// `control.sock`: the superuser reads and acts.
    case acting
    /// `http-listen`: reading and the status page, for clients that call this machine by one of its names.
    case network(HostNames)

    /// Whether requests that change something are taken.
    var mayAct: Bool { self == .acting }
}
