// SPDX-License-Identifier: GPL-2.0-or-later
package import Rules

/// Why a request failed: `application/problem+json` of RFC 9457.
package struct Problem: Codable, Error, Sendable, Hashable {
    /// What kind of problem: a URN, or `about:blank` where the HTTP status says it all.
    package var type: String
    /// The kind in words.
    package var title: String
    /// The HTTP status.
    package var status: Int
    /// What happened this time, for the person who asked.
    package var detail: String
    /// What is wrong with the configuration, if that is it.
    package var errors: [FileError]?

    /// A problem of these parts.
    package init(type: String = "about:blank", title: String, status: Int, detail: String, errors: [FileError]? = nil) {
        (self.type, self.title, self.status, self.detail, self.errors) = (type, title, status, detail, errors)
    }

    /// The media type of a problem.
    package static let mediaType = "application/problem+json"

    /// The file was refused for these errors.
    package static func refused(_ errors: [FileError]) -> Problem {
        Problem(
            type: "urn:fwmarkd:problem:configuration", title: "The configuration is refused", status: 422,
            detail: "\(counted(errors.count, "error")); the rules in the kernel are unchanged", errors: errors)
    }

    /// The kernel refused the rules of the new configuration; the one before stays in force.
    package static func refusedByKernel(_ reason: String) -> Problem {
        Problem(
            type: "urn:fwmarkd:problem:kernel-refused", title: "The kernel refuses the configuration", status: 422,
            detail: "\(reason); the configuration before stays in force and is guarded")
    }

    /// The kernel could not be brought to the configuration now; that may pass.
    package static func failed(_ detail: String) -> Problem {
        Problem(type: "urn:fwmarkd:problem:kernel", title: "The rules could not be applied", status: 503, detail: detail)
    }

    /// The daemon ends, and takes no more requests.
    package static let stopping = Problem(
        type: "urn:fwmarkd:problem:stopping", title: "The daemon is stopping", status: 503,
        detail: "fwmarkd is stopping and does nothing more")

    /// There are too many connections, followers or unread answers.
    package static func busy(_ detail: String) -> Problem {
        Problem(type: "urn:fwmarkd:problem:busy", title: "Too many clients", status: 503, detail: detail)
    }
}
