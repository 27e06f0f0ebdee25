// SPDX-License-Identifier: GPL-2.0-or-later
package import API
package import Reconciler
import Rules

extension ChangeMessage {
    /// The message about a change.
    package init(_ change: Change) {
        self.init(
            kind: change.kind, family: change.table.family, table: change.table.table, chain: change.chain.text,
            lines: [change.line])
    }
}
