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
    package var faults: [FaultMessage]?

    /// A problem of these parts.
    package init(type: String = "about:blank", title: String, status: Int, detail: String, faults: [FaultMessage]? = nil) {
        self.type = type
        self.title = title
        self.status = status
        self.detail = detail
        self.faults = faults
    }

    /// The media type of a problem.
    package static let mediaType = "application/problem+json"

    /// The configuration was refused for these faults.
    package static func refused(_ faults: [FaultMessage]) -> Problem {
        Problem(
            type: "urn:fwmarkd:problem:configuration", title: "The configuration is refused", status: 422,
            detail: "\(faults.count) fault\(faults.count == 1 ? "" : "s"); the rules in the kernel are unchanged", faults: faults)
    }

    /// The kernel could not be brought to the configuration.
    package static func failed(_ detail: String) -> Problem {
        Problem(type: "urn:fwmarkd:problem:kernel", title: "The rules could not be applied", status: 500, detail: detail)
    }
}
