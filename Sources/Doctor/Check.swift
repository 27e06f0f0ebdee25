// SPDX-License-Identifier: GPL-2.0-or-later
/// A question to the facts that has a clear answer. Pure: the same facts, the same verdict.
package protocol Check: Sendable {
    /// The check's name, in small letters and dashes.
    static var name: String { get }
    /// Judges the facts.
    static func examine(_ facts: Facts) -> CheckResult
}

extension Check {
    /// A finding of this check.
    static func finding(_ severity: Severity, _ seen: String, _ matters: String, _ advice: String...) -> Finding {
        Finding(check: name, severity: severity, seen: seen, matters: matters, advice: advice)
    }

    /// A setting of the kernel, now and after the next boot: a file of this check's own, so that no advice overwrites another's.
    static func setting(_ setting: String, _ value: String) -> [String] {
        ["sysctl -w \(setting)=\(value)", "echo '\(setting) = \(value)' > /etc/sysctl.d/60-fwmarkd-\(name).conf"]
    }
}
