// SPDX-License-Identifier: GPL-2.0-or-later
/// Where the jump into one of our chains is put when it is missing.
package enum HookPosition: String, Sendable, Hashable, CaseIterable {
    /// Before all other rules of the hook.
    case first
    /// After them.
    case last
}
