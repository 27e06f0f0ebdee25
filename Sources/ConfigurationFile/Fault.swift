/// One thing that is wrong in a configuration file.
package struct Fault: Error, Sendable, Hashable {
    /// Where it stands.
    package var position: SourcePosition
    /// Which value is meant: `services[3].tcp[1]`; empty for the file as a whole.
    package var path: String
    /// What is wrong.
    package var problem: String
    /// What is expected instead.
    package var expected: String

    /// A fault of these parts; problem and expectation are fragments without a full stop.
    package init(position: SourcePosition, path: String, problem: String, expected: String) {
        self.position = position
        self.path = path
        self.problem = problem
        self.expected = expected
    }
}

extension Fault: CustomStringConvertible {
    /// `file:line:column: path: what is wrong; what is expected`
    package var description: String {
        "\(position): \(path.isEmpty ? "" : path + ": ")\(problem); expected \(expected)"
    }
}

/// Why a configuration was refused: every fault of it, in the order of files and lines.
package struct ConfigurationFaults: Error, Sendable, Hashable, CustomStringConvertible {
    /// The faults; at least one.
    package let faults: [Fault]

    /// The refusal for these faults.
    package init(_ faults: [Fault]) {
        self.faults = faults
    }

    /// A line for each fault.
    package var description: String { faults.map(\.description).joined(separator: "\n") }
}

/// A configuration that was read and found right, with what is known of its files.
package struct LoadedConfiguration: Sendable, Hashable {
    /// What the files say.
    package var configuration: Configuration
    /// The files in the order in which they were read, with their bytes.
    package var files: [ConfigurationText]
    /// SHA-256 over names' last components and contents of all files, in lower-case hexadecimal: equal on two directors
    /// exactly when their files are.
    package var sha256: String

    /// A configuration and where it came from.
    package init(configuration: Configuration, files: [ConfigurationText], sha256: String) {
        self.configuration = configuration
        self.files = files
        self.sha256 = sha256
    }
}

/// The bytes of one configuration file.
package struct ConfigurationText: Sendable, Hashable {
    /// The file's path, as faults show it.
    package var path: String
    /// Its contents.
    package var bytes: [UInt8]

    /// A file's path and contents.
    package init(path: String, bytes: [UInt8]) {
        self.path = path
        self.bytes = bytes
    }
}
