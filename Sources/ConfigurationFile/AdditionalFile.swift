// SPDX-License-Identifier: GPL-2.0-or-later
/// A file that is read as if it were in `conf.d`.
package struct AdditionalFile: Sendable, Hashable {
    /// The name that it has there: its place in the order, and the file that it is read in place of, if there is one of that name.
    package var name: String
    /// Where it is.
    package var path: String

    /// The file at a path, under a name; without one, under its own.
    package init(path: String, name: String? = nil) {
        self.path = path
        self.name = name ?? String(path.split(separator: "/").last ?? "")
    }

    /// `FILE`, or `NAME.yaml=FILE` where it is to have another name than its own, as configuration management wants it.
    package init(argument: String) {
        let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        if parts.count == 2, parts[0].hasSuffix(".yaml"), !parts[0].contains("/") {
            self.init(path: String(parts[1]), name: String(parts[0]))
        } else {
            self.init(path: argument)
        }
    }

    /// Puts files among those of `conf.d`, by name; each path of these is in the order of names already.
    static func merge(_ fragments: [String], _ others: [AdditionalFile]) -> [String] {
        guard !others.isEmpty else { return fragments }
        let names = Set(others.map(\.name))
        let all = fragments.map { AdditionalFile(path: $0) }.filter { !names.contains($0.name) } + others
        return all.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }.map(\.path)
    }
}
