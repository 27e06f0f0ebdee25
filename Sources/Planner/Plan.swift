// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
package import Rules

/// What a configuration means in the kernel.
package struct Plan: Sendable {
    /// The chains and rules of each table.
    package let ruleset: Ruleset
    /// The service or translation of each rule.
    package let owners: Owners
}

/// Which service or translation each planned rule belongs to. Rules are named by their place, since the rules of a large table
/// have no comments.
package struct Owners: Sendable {
    /// The names of all services and translations, and of each rule the index of its owner's; -1: none.
    private var names: [String]
    private var places: [TableID: [ChainName: [Int32]]] = [:]

    /// The names of what marks, FTP services first, then of what translates.
    init(_ configuration: Configuration) {
        let ftp = configuration.ftp.span
        names = []
        for index in ftp.indices { names.append(ftp[index].name) }
        names += configuration.services.lazy.map(\.name)
        for index in ftp.indices where ftp[index].translates { names.append(ftp[index].name) }
        names += configuration.masquerades.lazy.map(\.name)
    }

    func name(_ owner: Int32) -> String { names[Int(owner)] }

    mutating func add(_ id: TableID, _ chains: [Chain], _ owners: [[Int32]]) {
        places[id] = Dictionary(uniqueKeysWithValues: zip(chains.lazy.map(\.name), owners))
    }

    /// The service or translation that the rule with this number (from 1) in the planned chain belongs to; nil for a rule that
    /// only leads on, and for a place that the plan does not have.
    package func owner(in id: TableID, chain: ChainName, number: Int) -> String? {
        guard let owners = places[id]?[chain], owners.indices.contains(number - 1), owners[number - 1] >= 0 else { return nil }
        return names[Int(owners[number - 1])]
    }
}
