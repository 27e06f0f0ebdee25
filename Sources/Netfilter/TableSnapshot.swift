// SPDX-License-Identifier: GPL-2.0-or-later
package import Rules

/// A table as it was in the kernel at one moment.
package struct TableSnapshot: Sendable {
    /// Which table.
    package let id: TableID
    /// Its chains in the kernel's order: built-in ones first.
    package let chains: [ChainSnapshot]
    private let numbers: [ChainName: Int]

    /// A snapshot of these chains.
    package init(_ id: TableID, chains: [ChainSnapshot]) {
        self.id = id
        self.chains = chains
        numbers = Dictionary(chains.enumerated().map { ($0.element.name, $0.offset) }, uniquingKeysWith: { first, _ in first })
    }

    /// The chains in the image.
    init(_ image: TableImage) {
        id = image.id
        numbers = image.numbers
        chains = image.chains.map { chain in
            ChainSnapshot(
                name: chain.name, policy: chain.policy.map { image.policy($0) }, rules: KernelRules(image, chain.entries))
        }
    }

    /// The number of the chain of that name in `chains`.
    package func number(of name: ChainName) -> Int? { numbers[name] }

    /// The chain of that name.
    package subscript(_ name: ChainName) -> ChainSnapshot? { numbers[name].map { chains[$0] } }
}

extension TableSnapshot: Hashable {
    /// Whether the tables have the same chains with the same rules and counters.
    package static func == (left: TableSnapshot, right: TableSnapshot) -> Bool {
        left.id == right.id && left.chains == right.chains
    }

    /// The hash of the table and its chains.
    package func hash(into hasher: inout Hasher) {
        hasher.combine(id)
        hasher.combine(chains)
    }
}
