// SPDX-License-Identifier: GPL-2.0-or-later
import Rules

extension ConfigurationDecoder {
    /// Reads the file's top.
    mutating func sections() -> Words<SectionWord>? {
        if events.isNull { return nil }
        return mapping("sections: \(SectionWord.words.list)") { (decoder, section: SectionWord) in
            if section != .daemon { decoder.draft.hasSection = true }
            decoder.lastList = nil
            switch section {
            case .daemon: decoder.daemon()
            case .ftp: decoder.entries(.ftp) { $0.ftp($1) }
            case .services: decoder.entries(.services) { $0.service($1) }
            case .masquerade: decoder.entries(.masquerade) { $0.masquerade($1) }
            }
        }
    }

    private mutating func entries(
        _ section: ConfigurationDraft.Section, _ body: (inout ConfigurationDecoder, Int) -> Void
    ) {
        if events.isNull {
            draft.errors.add(events.place, "no value; to ask for no rules, write \"\(section.rawValue): []\"")
            return
        }
        let hasDashes = events.kind == .sequenceStart && events.hasDashes
        var found = EntryList(section: section, column: hasDashes ? Int(events.place.column) : nil)
        found.count = list("expected a list of entries, each after a dash", body) ?? 0
        draft.lists[draft.lists.count - 1].append(found)
        lastList = found
    }

    // MARK: - daemon

    private mutating func daemon() {
        if events.isNull {
            draft.errors.add(events.place, "no value; leave the section out, or write \"daemon: {}\"")
            return
        }
        _ = mapping("a mapping with the keys \(SettingWord.words.list)") { (decoder, setting: SettingWord) in
            let position = decoder.draft.errors.position(decoder.events.place)
            if let first = decoder.draft.settings[setting] {
                decoder.draft.errors.add(decoder.events.place, "was set at \(first) already; a setting can be in one file only")
                decoder.skip()
            } else {
                decoder.draft.settings[setting] = position
                decoder.setting(setting)
            }
        }
    }

    private mutating func setting(_ setting: SettingWord) {
        switch setting {
        case .onDrift: if let choice: DaemonSettings.OnDrift = choice() { draft.configuration.daemon.onDrift = choice }
        case .onStop: if let choice: DaemonSettings.OnStop = choice() { draft.configuration.daemon.onStop = choice }
        case .hookPosition:
            if let choice: HookPosition = choice() { draft.configuration.daemon.hookPosition = choice }
        case .checkInterval:
            if let duration = duration(from: "100ms", to: "1h") { draft.configuration.daemon.checkInterval = duration }
        case .lockTimeout:
            if let duration = duration(from: "100ms", to: "10m") { draft.configuration.daemon.lockTimeout = duration }
        case .httpListen:
            let address = value { (text) throws(Refusal) in
                try refusing { () throws(InvalidValue) in try ListenAddress(parsing: text.string) }
            }
            if let address { draft.configuration.daemon.httpListen = address }
        }
    }

    // MARK: - services

    private mutating func service(_ index: Int) {
        let (place, before) = (events.place, draft.errors.count)
        var name: String?
        var mark: Mark?
        var addresses = PrefixList()
        var sources = PrefixList()
        var traffic = Traffic()
        var macs = Selection<MACAddress>()
        var interfaces = Selection<InterfacePattern>()
        var hooks = [Hook.prerouting]
        let words = mapping("a mapping with the keys \(ServiceWord.words.list)", required: [.name, .mark, .addresses]) {
            (decoder, word: ServiceWord) in
            switch word {
            case .name: name = decoder.name(.services, index, translates: false)
            case .mark: mark = decoder.mark()
            case .addresses: addresses = decoder.prefixes()
            case .tcp: traffic.tcp = decoder.ports()
            case .udp: traffic.udp = decoder.ports()
            case .sctp: traffic.sctp = decoder.ports()
            case .protocols: decoder.protocols(&traffic)
            case .sources: sources = decoder.prefixes()
            case .sourceMACs: macs = decoder.macs()
            case .inInterface: interfaces = decoder.interfaces()
            case .hooks: hooks = decoder.hooks()
            }
        }
        guard let words else { return }
        let hasTraffic = [ServiceWord.tcp, .udp, .sctp, .protocols].contains { words.has($0) || words.isMeant($0) }
        if !hasTraffic {
            draft.errors.add(place, "the service has no traffic: at least one of tcp, udp, sctp and protocols is required")
        }
        guard draft.errors.count == before else { return }
        if !(macs.isEmpty && interfaces.isEmpty) { checkOutput(hooks, place) }
        if !sources.selection.isEmpty {
            compareFamilies((.key("addresses"), addresses, "address"), (.key("sources"), sources, "source"))
        }
        if draft.errors.count == before { checkFamilies(addresses, sources, place) }
        guard draft.errors.count == before, let name, let mark else { return }
        if traffic.isEverything { traffic = Traffic(isEverything: true) }
        draft.configuration.services.append(
            Service(
                name: name, mark: mark, addresses: addresses.selection, traffic: traffic, sources: sources.selection,
                sourceMACs: macs, inInterfaces: interfaces, hooks: hooks))
        draft.services.append(draft.entry(place, index))
    }

    /// Notes that the director's own packets come in by no interface and from no sender.
    private mutating func checkOutput(_ hooks: [Hook], _ place: Place) {
        guard hooks.contains(.output) else { return }
        draft.errors.add(
            place,
            "in-interface and source-macs never match in output, where the director's own packets are; write a service of its own, "
                + "with the same mark, for output")
    }
}
