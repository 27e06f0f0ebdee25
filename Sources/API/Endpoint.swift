/// Where the daemon answers, and to what.
public enum Endpoint {
    /// The directory of the sockets, unless `--runtime-directory` says otherwise.
    public static let runtimeDirectory = "/run/fwmarkd"
    /// The socket that everybody may read from.
    public static let statusSocket = "status.sock"
    /// The superuser's socket: reading and acting.
    public static let controlSocket = "control.sock"

    /// `GET`: `Status`.
    public static let status = "/v1/status"
    /// `GET`: `RuleList`.
    public static let rules = "/v1/rules"
    /// `GET`: `Event`s, one a line; with `?follow=true` the answer goes on as they happen.
    public static let events = "/v1/events"
    /// `GET`: Prometheus text.
    public static let metrics = "/metrics"
    /// `POST`, on the control socket alone: `Reconciliation`, or `Problem` with status 422 and every fault.
    public static let reload = "/v1/reload"
    /// `POST`, on the control socket alone: `Reconciliation`.
    public static let reconcile = "/v1/reconcile"
}
