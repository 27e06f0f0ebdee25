// SPDX-License-Identifier: GPL-2.0-or-later
import Netfilter
import Reconciler

extension ReconcileError {
    /// Whether another program had the xtables lock all the time.
    var isBusy: Bool { causes.contains { $0.code == .lockTimeout } }

    /// Whether the kernel refuses the rules: trying again with the same rules is useless.
    var isRefusal: Bool { isHopeless || causes.contains { $0.code == .refused } }

    /// Whether trying again is useless until something outside changes: rights or parts of the kernel are missing.
    var isHopeless: Bool { isPermanent }
}
