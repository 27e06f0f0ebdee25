// SPDX-License-Identifier: GPL-2.0-or-later
package import API
package import ConfigurationFile
package import Reconciler
import Rules

extension FileError {
    /// The error as the sockets tell it.
    package init(_ error: ConfigurationError) {
        self.init(
            file: error.position.file, line: error.position.line, column: error.position.column, path: error.path,
            message: error.message)
    }
}

extension ChangeMessage {
    /// The change as the sockets tell it.
    package init(_ change: Change) {
        self.init(
            kind: change.kind.rawValue, family: change.table.family.rawValue, table: change.table.table.rawValue,
            chain: change.chain.text, lines: [change.line])
    }
}
