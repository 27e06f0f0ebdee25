import ConfigurationFile
import Rules

extension TableDraft {
    /// Adds the rules that mark the packets of the services: service by service, address by address, as a person would write
    /// them.
    mutating func addMarks(of services: [Service]) {
        for (owner, service) in services.enumerated() {
            guard let placed = AddressChoice(service.addresses, id.family), let alternatives = Alternatives(service, id.family)
            else { continue }
            var everywhere = alternatives
            everywhere.except(placed, .destination)
            var targets = [Target.mark(MarkOperation(service.mark))]
            if service.savesMark {
                let mask = service.mark.mask
                targets.append(.connectionMark(.save(connectionMask: mask, packetMask: mask)))
            }
            let rules = OwnRules(
                name: service.name, owner: Int32(owner), placed: placed, traffic: traffic(from: Traffic(), to: service.traffic),
                alternatives: everywhere, targets: targets)
            rules.add(to: &self, service.entries)
        }
    }

    /// Adds the chain that nothing leads into and whose rule keeps connection tracking registered, so that connections survive when
    /// another program flushes nat.
    mutating func addHold() {
        let place = open(.hold)
        let states = Condition.connectionState([.new, .related, .established], isInverted: false)
        append(Rule(RuleMatch(conditions: [states]), comment: TableDraft.holdComment, target: .none), to: place)
    }

    /// What the rule that keeps connection tracking registered says of itself.
    static let holdComment = "keeps connection tracking while nat is reloaded, so that transfers go on"
}

extension Service {
    /// The chains that have its rules. Packets of the director itself come in by no interface and have no sender's address.
    fileprivate var entries: [ChainName] {
        hooks.compactMap { hook in
            switch hook {
            case .prerouting: .mark
            case .input: .markIn
            case .output: inInterfaces.included.isEmpty && sourceMACs.isEmpty ? .markOut : nil
            case .forward, .postrouting: nil
            }
        }
    }
}

extension Alternatives {
    /// What the service asks besides protocol, ports and its addresses; nil where no packet of the family can match.
    fileprivate init?(_ service: Service, _ family: Family) {
        self.init()
        guard !service.sources.isEmpty || !service.sourceMACs.isEmpty || !service.inInterfaces.isEmpty else { return }
        guard let sources = AddressChoice(service.sources, family), let interfaces = InterfaceChoice(service.inInterfaces),
            add(service.sourceMACs)
        else { return nil }
        add(sources, .source)
        add(interfaces, \.inInterface)
    }
}
