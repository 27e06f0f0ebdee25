package import ConfigurationFile
import Glibc
import Importer
import Netfilter
import Netlink
import Planner
import Rules
import XTables

extension Facts {
    /// Looks at the machine, in the network namespace of the calling thread. Changes nothing, and makes no table by looking.
    ///
    /// - Throws: `UnreadableFile` for a `vsftpdPath` that cannot be read; everything else that cannot be found out is a fact itself.
    package static func gather(_ configuration: Configuration, vsftpdPath: String?) throws(UnreadableFile) -> Facts {
        let modules = loadedModules()
        var facts = Facts(configuration)
        if let vsftpdPath {
            facts.vsftpd = VsftpdConfiguration(path: vsftpdPath, text: try readText(vsftpdPath))
        }
        facts.missing = missing(Planner.ruleset(for: configuration))
        facts.rules = legacyRules()
        facts.ipvs = virtualServices()
        facts.settings = settings(["net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding", "net.ipv4.vs.conntrack"])
        facts.modules = modules ?? []
        // A module's presence is seen here as well, also of one that is built in.
        if access("/sys/module/ip_vs_ftp", F_OK) == 0 { facts.modules.insert("ip_vs_ftp") }
        facts.routing = answer { () throws(NetlinkError) in try RoutingState.read() }
        // Asking would load the module where nobody has used it yet; then it has no rules.
        let hasNft = modules.map { $0.contains("nf_tables") || isAvailable("nf_tables", in: ["modules.builtin"]) } ?? true
        facts.nftRules = hasNft ? nftRules() : .known([])
        return facts
    }

    /// A file that cannot be read.
    package struct UnreadableFile: Error, Sendable, Hashable, CustomStringConvertible {
        /// The kernel's number of the error.
        package let errno: CInt
        /// Which file, and why.
        package let description: String
    }

    // MARK: - Netfilter

    private static func missing(_ ruleset: Ruleset) -> [Family: Answer<[String]>] {
        var answers: [Family: Answer<[String]>] = [:]
        for family in Family.allCases {
            let chains = ruleset.tables.filter { $0.key.family == family }.flatMap(\.value)
            guard !chains.isEmpty else { continue }
            do {
                try KernelTables().checkSupport(family)
                answers[family] = .known(try KernelTables().missingExtensions(for: chains, family))
            } catch {
                answers[family] = error.code == .notSupported ? .known([error.message]) : .unknown(error.message)
            }
        }
        return answers
    }

    private static func legacyRules() -> Answer<FoundRules> {
        var text = ""
        do {
            for id in TableID.allCases {
                if let table = try KernelTables().snapshot(id) { text += RulePrinter.saved(table) }
            }
        } catch {
            return .unknown(error.message)
        }
        return .known(FoundRules(parsing: text))
    }

    private static func nftRules() -> Answer<[NftRule]> {
        do {
            return .known(try NftRule.read())
        } catch {
            // A kernel without nf_tables has no rules of it.
            return [ENOENT, EOPNOTSUPP, EPROTONOSUPPORT, EINVAL].contains(error.errno) ? .known([]) : .unknown(error.description)
        }
    }

    private static func answer<Value>(_ body: () throws(NetlinkError) -> Value) -> Answer<Value> {
        do { return .known(try body()) } catch { return .unknown(error.description) }
    }

    // MARK: - /proc

    private static func virtualServices() -> IPVSState {
        let path = "/proc/thread-self/net/ip_vs"
        do {
            return .services(VirtualService.all(in: try readText(path)))
        } catch {
            guard error.errno == ENOENT else { return .unreadable(error.description) }
            // ipvsadm loads the module when it makes the first service.
            return isAvailable("ip_vs", in: ["modules.dep", "modules.builtin"]) ? .services([]) : .absent
        }
    }

    private static func settings(_ names: [String]) -> [String: String] {
        names.reduce(into: [:]) { settings, name in
            let path = "/proc/sys/" + name.split(separator: ".").joined(separator: "/")
            guard let text = try? readText(path) else { return }
            settings[name] = String(text.prefix { !$0.isWhitespace })
        }
    }

    /// nil where the kernel keeps no list of modules.
    private static func loadedModules() -> Set<String>? {
        guard let text = try? readText("/proc/modules") else { return nil }
        return Set(text.split(separator: "\n").map { String($0.prefix { $0 != " " }) })
    }

    /// Whether a list of the running kernel's modules names the module.
    private static func isAvailable(_ module: String, in lists: [String]) -> Bool {
        var system = utsname()
        uname(&system)
        let release = withUnsafeBytes(of: &system.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        return lists.contains { list in
            guard let text = try? readText("/lib/modules/\(release)/\(list)") else { return false }
            return text.split(separator: "\n").contains { line in
                line.prefix { $0 != ":" }.split(separator: "/").last?.hasPrefix("\(module).ko") == true
            }
        }
    }

    private static func readText(_ path: String) throws(UnreadableFile) -> String {
        func failure() -> UnreadableFile {
            UnreadableFile(errno: errno, description: "reading \(path): \(String(cString: strerror(errno)))")
        }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure() }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw failure() }
            if count == 0 { return String(decoding: bytes, as: UTF8.self) }
            bytes.append(contentsOf: chunk[..<count])
        }
    }
}
