// SPDX-License-Identifier: GPL-2.0-or-later
import Rules

@testable import ConfigurationFile

extension ReferenceReader {
    mutating func sections(_ root: ReferenceNode) {
        if root.isNull && !root.hasAnchor && !root.hasTag { return }
        if root.isNull { return }
        guard let (values, _) = members(root, SectionWord.words) else { return }
        if let node = values["daemon"] { at("daemon") { $0.bare(node) ? () : $0.daemon(node) } }
        for (key, read) in [
            ("ftp", { $0.ftp($1) }), ("services", { $0.service($1) }), ("masquerade", { $0.masquerade($1) }),
        ] as [(String, (inout ReferenceReader, ReferenceNode) -> Void)] {
            if let node = values[key] { at(key) { $0.bare(node) ? () : $0.list(node, read) } }
        }
    }

    /// Notes a section without a value.
    private mutating func bare(_ node: ReferenceNode) -> Bool {
        if node.isNull { note(node) }
        return node.isNull
    }

    private mutating func daemon(_ node: ReferenceNode) {
        guard let (values, _) = members(node, SettingWord.words) else { return }
        func choice<Choice: RawRepresentable<String>>(_ key: String, _ reader: inout ReferenceReader) -> Choice? {
            values[key].flatMap { node in reader.at(key) { $0.value(node) { Choice(rawValue: $0) } } }
        }
        if let choice: DaemonSettings.OnDrift = choice("on-drift", &self) { configuration.daemon.onDrift = choice }
        if let choice: DaemonSettings.OnStop = choice("on-stop", &self) { configuration.daemon.onStop = choice }
        if let choice: HookPosition = choice("hook-position", &self) { configuration.daemon.hookPosition = choice }
        if let node = values["check-interval"], let value = duration("check-interval", node, 100...3_600_000) {
            configuration.daemon.checkInterval = value
        }
        if let node = values["lock-timeout"], let value = duration("lock-timeout", node, 100...600_000) {
            configuration.daemon.lockTimeout = value
        }
        if let node = values["http-listen"] {
            let address = at("http-listen") { $0.value(node) { try? ListenAddress(parsing: $0) } }
            if let address { configuration.daemon.httpListen = address }
        }
    }

    private mutating func duration(_ key: String, _ node: ReferenceNode, _ range: ClosedRange<Int>) -> Duration? {
        at(key) {
            $0.value(node) { text in
                guard let match = try? /(0|[1-9][0-9]{0,8})(ms|s|m|h)/.wholeMatch(in: text), let number = Int(match.1) else {
                    return nil
                }
                let milliseconds = number * (["ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000][String(match.2)] ?? 0)
                return range.contains(milliseconds) ? .milliseconds(milliseconds) : nil
            }
        }
    }

    private mutating func service(_ node: ReferenceNode) {
        let before = errors.count
        guard let (values, meant) = members(node, ServiceWord.words, required: ["name", "mark", "addresses"]) else { return }
        let name = name(values["name"])
        let mark = mark(values["mark"])
        var service = Service(
            name: name ?? "", mark: mark ?? anyMark, addresses: selection("addresses", values["addresses"]), traffic: Traffic())
        for transport in TransportProtocol.allCases {
            service.traffic[transport] = ports(transport.rawValue, values[transport.rawValue])
        }
        if let node = values["protocols"] { protocols(node, &service.traffic) }
        service.sources = selection("sources", values["sources"])
        service.sourceMACs = macs(values["source-macs"])
        service.inInterfaces = interfaces("in-interface", values["in-interface"])
        if let node = values["hooks"] {
            var hooks: Set<Hook> = []
            at("hooks") {
                $0.elements(node) {
                    let hook = $0.value($1) { text in
                        Hook(rawValue: text).flatMap { [.forward, .postrouting].contains($0) ? nil : $0 }
                    }
                    if let hook { hooks.insert(hook) }
                }
            }
            service.hooks = hooks.sorted()
        }
        if !["tcp", "udp", "sctp", "protocols"].contains(where: { values[$0] != nil || meant.contains($0) }) { note(node) }
        guard errors.count == before else { return }
        if service.hooks.contains(.output), !service.sourceMACs.isEmpty || !service.inInterfaces.isEmpty { note(node) }
        if !service.sources.isEmpty {
            families(("addresses", service.addresses, values["addresses"]), ("sources", service.sources, values["sources"]))
        }
        if errors.count == before { together(service.addresses, service.sources, node) }
        guard errors.count == before else { return }
        if service.traffic.isEverything { service.traffic = Traffic(isEverything: true) }
        configuration.services.append(service)
    }

    var anyMark: Mark { (try? Mark(1)) ?? { preconditionFailure("1 is a mark") }() }

    private mutating func ftp(_ node: ReferenceNode) {
        let before = errors.count
        guard let (values, _) = members(node, FTPWord.words, required: ["name", "mark", "addresses", "passive-ports"]) else {
            return
        }
        var ftp = FTPService(
            name: name(values["name"]) ?? "", mark: mark(values["mark"]) ?? anyMark,
            addresses: plain("addresses", values["addresses"]), passivePorts: .all)
        if let node = values["control-port"] { ftp.controlPorts = single("control-port", node) }
        if let node = values["passive-ports"] { ftp.passivePorts = at("passive-ports") { $0.port(node) } ?? .all }
        if let node = values["forwarding"] {
            ftp.forwarding = at("forwarding") { $0.value(node) { FTPService.Forwarding(rawValue: $0) } } ?? .nat
        }
        if let node = values["active"] { at("active") { $0.active(node, &ftp, before) } }
        if errors.count == before { configuration.ftp.append(ftp) }
    }

    private mutating func active(_ node: ReferenceNode, _ ftp: inout FTPService, _ before: Int) {
        guard let (values, meant) = members(node, ActiveWord.words) else { return }
        var active = FTPService.Active(realServers: plain("real-servers", values["real-servers"]))
        if let node = values["data-port"] { active.dataPorts = single("data-port", node) }
        if let node = values["to"] {
            let to: FTPService.Active.Translation? = at("to") {
                $0.value(node) { text in
                    switch text {
                    case "masquerade": .masquerade
                    case "virtual-address": .virtualAddress
                    default: (try? Address(parsing: text)).flatMap { ReferenceReader.isSource($0, $0) ? .address($0) : nil }
                    }
                }
            }
            active.to = to ?? .masquerade
        }
        ftp.active = active
        // What the whole entry has to say comes first, and is compared with the rest only if it is right.
        guard errors.count == before else { return }
        if ftp.forwarding != .nat {
            if values["real-servers"] != nil { note(node) }
            if values["to"] != nil { note(node) }
            return
        }
        if values["real-servers"] == nil && !meant.contains("real-servers") { return note(node) }
        guard let toNode = values["to"] else { return }
        at("to") { reader in
            if case .address(let address) = active.to, active.realServers.contains(where: { $0.family != address.family }) {
                reader.note(toNode)
            }
            guard active.to == .virtualAddress else { return }
            for family in Family.allCases {
                let own = ftp.addresses.filter { $0.family == family }
                if own.count > 1 || own.contains(where: { $0.length < family.bitWidth }) {
                    reader.note(toNode)
                } else if own.isEmpty, active.realServers.contains(where: { $0.family == family }) {
                    reader.note(toNode)
                }
            }
        }
    }

    private mutating func masquerade(_ node: ReferenceNode) {
        let before = errors.count
        guard let (values, meant) = members(node, MasqueradeWord.words, required: ["name"]) else { return }
        var entry = Masquerade(name: name(values["name"]) ?? "")
        entry.sources = selection("sources", values["sources"])
        entry.destinations = selection("destinations", values["destinations"])
        if let node = values["services"] {
            at("services") { $0.elements(node) { if let name = $0.value($1, { $0 }) { entry.services.append(name) } } }
        }
        for transport in TransportProtocol.allCases {
            entry.sourceTraffic[transport] = ports(transport.rawValue, values[transport.rawValue])
            entry.destinationTraffic[transport] = ports("destination-\(transport)", values["destination-\(transport)"])
        }
        entry.outInterfaces = interfaces("out-interface", values["out-interface"])
        if let node = values["to"] { entry.to = at("to") { $0.value(node, ReferenceReader.translation) } ?? .masquerade }
        if let node = values["random"] {
            entry.isRandom = at("random") { $0.value(node) { ["true": true, "false": false][$0] } } ?? false
        }
        if !["sources", "services", "destinations"].contains(where: { values[$0] != nil || meant.contains($0) }) { note(node) }
        guard errors.count == before else { return }
        if entry.isRandom && entry.to == .unchanged { note(node) }
        if !entry.sourceTraffic.isEmpty && !entry.destinationTraffic.isEmpty {
            for transport in TransportProtocol.allCases
            where entry.sourceTraffic[transport].isEmpty != entry.destinationTraffic[transport].isEmpty { note(node) }
        }
        families(("sources", entry.sources, values["sources"]), ("destinations", entry.destinations, values["destinations"]))
        if errors.count == before { together(entry.sources, entry.destinations, node) }
        if case .addresses(let address, _) = entry.to, let toNode = values["to"] {
            for list in [entry.sources, entry.destinations] where list.included.contains(where: { $0.family != address.family }) {
                at("to") { $0.note(toNode) }
            }
        }
        if errors.count == before { configuration.masquerades.append(entry) }
    }

    private static func translation(_ text: String) -> Masquerade.Translation? {
        if text == "masquerade" { return .masquerade }
        if text == "unchanged" { return .unchanged }
        let parts = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false).map {
            try? Address(parsing: String($0))
        }
        guard let first = parts[0], let last = parts[parts.count - 1], first.family == last.family, first <= last,
            isSource(first, last)
        else { return nil }
        return .addresses(first, last)
    }

    /// Whether packets can come from all of these.
    static func isSource(_ first: Address, _ last: Address) -> Bool {
        let never = ["0.0.0.0/32", "224.0.0.0/4", "255.255.255.255/32", "::/128", "ff00::/8"].compactMap {
            try? Prefix(parsing: $0)
        }
        return !never.contains { $0.family == first.family && first <= $0.last && $0.address <= last }
    }
}
