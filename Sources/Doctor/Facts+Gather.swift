// SPDX-License-Identifier: GPL-2.0-or-later
package import ConfigurationFile
import Glibc
import Netfilter
import Netlink
import Planner
import Rules
import SystemCalls

extension Facts {
    /// Looks at the machine, in the network namespace of the calling thread. Changes nothing, and makes no table by looking.
    ///
    /// - Throws: for a file of `ftpServerFiles` that cannot be read or is of no FTP server that is known; everything else that cannot be
    ///   found out is a fact itself.
    package static func gather(_ loaded: LoadedConfiguration, ftpServerFiles paths: [String]) throws(UnreadableServerFile) -> Facts
    {
        var facts = Facts(loaded.configuration)
        for service in loaded.configuration.allServices {
            facts.files[service.name] = loaded.position(ofMarking: service.name)?.file
        }
        facts.ftpServers = try paths.map { (path) throws(UnreadableServerFile) in
            let text: String
            do throws(SystemError) {
                text = String(decoding: try RegularFile.read(path, limit: 1 << 20), as: UTF8.self)
            } catch {
                throw UnreadableServerFile(description: error.description)
            }
            guard let file = FTPServerFile(path: path, text: text) else {
                throw UnreadableServerFile(description: "\(path): not a configuration file of vsftpd, ProFTPD or Pure-FTPd")
            }
            return file
        }
        let modules = loadedModules()
        facts.modules = modules ?? []
        // A module's presence is seen here as well, also of one that is built in.
        for module in ["ip_vs_ftp", "nf_conntrack_ftp"] where access("/sys/module/\(module)", F_OK) == 0 {
            facts.modules.insert(module)
        }
        facts.missing = missing(Planner.plan(for: loaded.configuration).ruleset)
        facts.routing = answer { () throws(SystemError) in try RoutingState.read() }
        // Asking would load the module where it is not in use yet; then it has no rules.
        let hasNft = modules.map { $0.contains("nf_tables") || isAvailable("nf_tables", in: ["modules.builtin"]) } ?? true
        facts.firewall = firewall(hasNft)
        facts.ipvs = virtualServices(Set(loaded.configuration.allServices.map(\.mark.value)))
        facts.settings = settings(facts.routing)
        return facts
    }

    /// A file that cannot be read or understood.
    package struct UnreadableServerFile: Error, Sendable, Hashable, CustomStringConvertible {
        /// Which file, and why.
        package let description: String
    }

    // MARK: - Netfilter

    private static func missing(_ ruleset: Ruleset) -> [Family: Fact<[String]>] {
        var answers: [Family: Fact<[String]>] = [:]
        for family in Family.allCases {
            let tables = ruleset.tables.filter { $0.key.family == family && !$0.value.isEmpty }
            guard !tables.isEmpty else { continue }
            do throws(NetfilterError) {
                answers[family] = .known(try missing(tables, family))
            } catch {
                answers[family] = error.code == .notSupported ? .known([error.message]) : .unknown(error.message)
            }
        }
        return answers
    }

    private static func missing(_ tables: [TableID: [Chain]], _ family: Family) throws(NetfilterError) -> [String] {
        let kernel = KernelTables()
        try kernel.checkSupport(family)
        var sentences = try kernel.missingExtensions(for: tables.flatMap(\.value), family)
        // A table that exists needs no namespace to be asked for in.
        for id in tables.keys.sorted() where try !kernel.exists(id) { sentences += try kernel.missingTables(of: [id]) }
        return sentences
    }

    private static func firewall(_ hasNft: Bool) -> Fact<Firewall> {
        var firewall = Firewall()
        do {
            for family in Family.allCases {
                for table in Table.allCases {
                    guard let snapshot = try KernelTables().snapshot(TableID(family, table)) else { continue }
                    firewall.tables.append(FirewallTable(snapshot))
                }
            }
        } catch {
            return .unknown(error.message)
        }
        guard hasNft else { return .known(firewall) }
        do {
            firewall.tables += try NftTable.readAll().map { FirewallTable($0) { $0.decodingExtensions($1) } }
        } catch {
            // A kernel without nf_tables has no rules of it.
            guard let number = error.errno, [ENOENT, EOPNOTSUPP, EPROTONOSUPPORT, EINVAL].contains(number) else {
                return .unknown(error.description)
            }
        }
        return .known(firewall)
    }

    private static func answer<Value>(_ body: () throws(SystemError) -> Value) -> Fact<Value> {
        do { return .known(try body()) } catch { return .unknown(error.description) }
    }

    private static func virtualServices(_ marks: Set<UInt32>) -> IPVSState {
        do {
            if let services = try VirtualService.readAll(realServersWhere: { $0.mark.map(marks.contains) ?? false }) {
                return .services(services)
            }
        } catch {
            return .unreadable(error.description)
        }
        // ipvsadm loads the module when it makes the first service.
        return isAvailable("ip_vs", in: ["modules.dep", "modules.builtin"]) ? .services([]) : .absent
    }

    // MARK: - /proc

    private static func settings(_ routing: Fact<RoutingState>) -> [String: String] {
        var names = [
            "net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding", "net.ipv4.vs.conntrack", "net.ipv4.vs.expire_quiescent_template",
            "net.ipv4.conf.all.src_valid_mark", "net.netfilter.nf_conntrack_count", "net.netfilter.nf_conntrack_max",
        ]
        if case .known(let routing) = routing {
            // A dot in an interface's name is a slash in the setting's.
            names += Set(routing.addresses.map(\.name)).filter { !$0.contains(".") && !$0.contains("/") }
                .map { "net.ipv4.conf.\($0).src_valid_mark" }
        }
        return names.reduce(into: [:]) { settings, name in
            let path = "/proc/sys/" + name.split(separator: ".").joined(separator: "/")
            settings[name] = text(path).map { String($0.prefix { !$0.isWhitespace }) }
        }
    }

    /// nil where the kernel keeps no list of modules.
    private static func loadedModules() -> Set<String>? {
        text("/proc/modules").map { Set($0.split(separator: "\n").map { String($0.prefix { $0 != " " }) }) }
    }

    /// Whether a list of the running kernel's modules names the module.
    private static func isAvailable(_ module: String, in lists: [String]) -> Bool {
        var system = utsname()
        uname(&system)
        let release = withUnsafeBytes(of: &system.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        return lists.contains { list in
            text("/lib/modules/\(release)/\(list)")?.split(separator: "\n").contains { line in
                line.prefix { $0 != ":" }.split(separator: "/").last?.hasPrefix("\(module).ko") == true
            } == true
        }
    }

    private static func text(_ path: String) -> String? {
        (try? RegularFile.read(path, limit: 16 << 20)).map { String(decoding: $0, as: UTF8.self) }
    }
}

extension FirewallTable {
    /// A table of x_tables.
    fileprivate init(_ snapshot: TableSnapshot) {
        self.init(
            .legacy(snapshot.id.table), snapshot.id.family,
            snapshot.chains.map { chain in
                FirewallChain(
                    chain.name,
                    base: chain.policy.flatMap {
                        FirewallChain.Base(snapshot.id.table, chain.name, dropsAtEnd: $0.verdict == .drop)
                    },
                    rules: chain.rules.map { FirewallRule($0.rule) })
            })
    }
}
