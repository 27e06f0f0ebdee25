package import API
package import ConfigurationFile
package import Reconciler
import Rules

extension FaultMessage {
    /// The fault as the sockets tell it.
    package init(_ fault: Fault) {
        self.init(
            file: fault.position.file, line: fault.position.line, column: fault.position.column, path: fault.path,
            problem: fault.problem, expected: fault.expected)
    }
}

extension ChangeMessage {
    /// The change as the sockets tell it.
    package init(_ change: Change) {
        self.init(
            kind: change.kind.rawValue, family: change.table.family.rawValue, table: change.table.table.rawValue,
            chain: change.chain.text, lines: change.lines)
    }
}
