// SPDX-License-Identifier: GPL-2.0-or-later
/// Where the daemon answers, and to what.
package enum Endpoint {
    /// The directory of the sockets, unless `--runtime-directory` says otherwise.
    package static let runtimeDirectory = "/run/fwmarkd"
    /// The socket that every user may read from.
    package static let statusSocket = "status.sock"
    /// The superuser's socket: reading and acting.
    package static let controlSocket = "control.sock"

    /// `GET`: `Status`, or a part of it by `StatusQuery`'s parameters.
    package static let status = "/v1/status"
    /// `GET`: `RuleList`.
    package static let rules = "/v1/rules"
    /// `GET`: `Explanation`, of the packet that `PacketQuestion`'s parameters describe.
    package static let explain = "/v1/explain"
    /// `GET`: this API as OpenAPI 3.1.
    package static let description = "/v1/openapi.json"
    /// `GET`: `Event`s, one a line; with `?follow=true` the answer goes on as they happen.
    package static let events = "/v1/events"
    /// `GET`: Prometheus text.
    package static let metrics = "/metrics"
    /// `POST`, on the control socket alone: `Reconciliation`, or `Problem` with status 422 and every error.
    package static let reload = "/v1/reload"
    /// `POST`, on the control socket alone: `Reconciliation`.
    package static let reconcile = "/v1/reconcile"
}
