// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Netfilter
import Reconciler

extension Reconciler where Store == KernelTables {
    /// A reconciler of this machine's kernel that behaves as the `daemon:` section says.
    init(_ settings: DaemonSettings) {
        self.init(KernelTables(), lockTimeout: settings.lockTimeout, hookPosition: settings.hookPosition)
    }
}
