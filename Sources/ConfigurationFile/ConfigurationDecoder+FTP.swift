// SPDX-License-Identifier: GPL-2.0-or-later
import Rules

extension ConfigurationDecoder {
    /// Reads an entry of `ftp:`.
    mutating func ftp(_ index: Int) {
        let (place, before) = (events.place, draft.errors.count)
        var name: (text: String, place: Place)?
        var mark: Mark?
        var addresses: (list: [Prefix], place: Place) = ([], place)
        var control = FTPDefaults.controlPorts
        var passive: PortRange?
        var forwarding = FTPService.Forwarding.nat
        var active: ActiveDraft?
        let words = mapping(
            "a mapping with the keys \(FTPWord.words.list)", required: [.name, .mark, .addresses, .passivePorts]
        ) { (decoder, word: FTPWord) in
            switch word {
            case .name: name = (decoder.name(nil, index, translates: false) ?? "", decoder.events.place)
            case .mark: mark = decoder.mark()
            case .addresses: addresses = (decoder.plainPrefixes(), decoder.events.place)
            case .controlPort: control = decoder.singlePorts()
            case .passivePorts: passive = decoder.passivePorts()
            case .forwarding: forwarding = decoder.choice() ?? .nat
            case .active: active = decoder.active()
            }
        }
        if let name, !name.text.isEmpty {
            let translates = active != nil && forwarding == .nat
            draft.names.append(.init(text: name.text, section: .ftp, translates: translates, entry: draft.entry(name.place, index)))
        }
        guard words != nil, draft.errors.count == before, let name, let mark, let passive else { return }
        if let active { check(active, forwarding, addresses.list) }
        guard draft.errors.count == before else { return }
        draft.configuration.ftp.append(
            FTPService(
                name: name.text, mark: mark, addresses: addresses.list, controlPorts: control, passivePorts: passive,
                forwarding: forwarding,
                active: active.map {
                    FTPService.Active(realServers: $0.servers ?? [], dataPorts: $0.dataPorts, to: $0.to ?? .masquerade)
                }))
        draft.ftp.append(draft.entry(place, index))
    }

    /// What `active:` says.
    private struct ActiveDraft {
        let place: Place
        var servers: [Prefix]?
        var dataPorts = FTPDefaults.dataPorts
        var to: FTPService.Active.Translation?
        var toPlace: Place
    }

    /// Lists that most entries share.
    private enum FTPDefaults {
        static let controlPorts: [UInt16] = [21]
        static let dataPorts: [UInt16] = [20]
    }

    private mutating func active() -> ActiveDraft? {
        var draft = ActiveDraft(place: events.place, toPlace: events.place)
        let words = mapping("a mapping with the keys \(ActiveWord.words.list)") { (decoder, word: ActiveWord) in
            switch word {
            case .realServers: draft.servers = decoder.plainPrefixes()
            case .dataPort: draft.dataPorts = decoder.singlePorts()
            case .to:
                draft.toPlace = decoder.events.place
                draft.to = decoder.ftpTranslation()
            }
        }
        guard let words else { return nil }
        // A misspelt one is reported already, and an error in the entry ends the matter.
        if words.isMeant(.realServers) && draft.servers == nil { draft.servers = [] }
        return draft
    }

    private mutating func ftpTranslation() -> FTPService.Active.Translation? {
        value { (text) throws(Refusal) in
            if text == "masquerade" { return .masquerade }
            if text == "virtual-address" { return .virtualAddress }
            guard let prefix = text.prefix, prefix.length == prefix.family.bitWidth, !text.bytes.contains(UInt8(ascii: "/")) else {
                throw ValueText.explain(translation: text.string, ["masquerade", "virtual-address"], allowsRange: false)
            }
            try ValueText.checkSource(prefix.address, prefix.address)
            return .address(prefix.address)
        }
    }

    /// What `active:` may say depends on how IPVS forwards.
    private mutating func check(_ active: ActiveDraft, _ forwarding: FTPService.Forwarding, _ addresses: [Prefix]) {
        at(.key("active")) { decoder in
            guard forwarding == .nat else {
                for (key, isThere) in [("real-servers", active.servers != nil), ("to", active.to != nil)] where isThere {
                    decoder.draft.errors.add(
                        active.place,
                        "\(key) has no meaning with \"forwarding: \(forwarding.rawValue)\", where nothing is translated")
                }
                return
            }
            guard let servers = active.servers else {
                decoder.draft.errors.add(active.place, "real-servers is missing")
                return
            }
            switch active.to {
            case .address(let address):
                guard let other = servers.first(where: { $0.family != address.family }) else { return }
                decoder.at(.key("to")) {
                    $0.draft.errors.add(
                        active.toPlace,
                        "\(other) in real-servers is \(other.family.words) and cannot be translated to \(address); "
                            + "write an entry for each family")
                }
            case .virtualAddress: decoder.checkVirtualAddress(servers, addresses, active.toPlace)
            case .masquerade, nil: break
            }
        }
    }

    private mutating func checkVirtualAddress(_ servers: [Prefix], _ addresses: [Prefix], _ place: Place) {
        at(.key("to")) { decoder in
            for family in Family.allCases {
                let own = addresses.filter { $0.family == family }
                if own.count > 1 || own.contains(where: { $0.length < family.bitWidth }) {
                    decoder.draft.errors.add(
                        place,
                        "virtual-address needs one \(family.words) address in addresses: by the mark alone two cannot be told apart; "
                            + "write an entry with a mark of its own for each")
                } else if own.isEmpty, let server = servers.first(where: { $0.family == family }) {
                    decoder.draft.errors.add(
                        place, "\(server) in real-servers is \(family.words), and no address of this entry is")
                }
            }
        }
    }
}

extension Family {
    /// The family's name in a sentence.
    var words: String { self == .ipv4 ? "IPv4" : "IPv6" }
}
