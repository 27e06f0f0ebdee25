// SPDX-License-Identifier: GPL-2.0-or-later
/// A parameter of a request that makes no sense, by its name in the query, and what is wrong with it.
package struct InvalidParameter: Error, Sendable, Hashable {
    /// Its name: `source`.
    package var name: String
    /// What is wrong, beginning with it: `invalid address "x"`.
    package var reason: String

    /// A parameter of that name.
    package init(_ name: String, _ reason: String) {
        (self.name, self.reason) = (name, reason)
    }

    /// The answer to the request that had it.
    package var problem: Problem {
        Problem(type: "urn:fwmarkd:problem:parameter", title: "Bad Request", status: 400, detail: "\(name): \(reason)")
    }
}
