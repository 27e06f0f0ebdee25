// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Rules

extension TableDraft {
    /// Adds the rules that mark the packets of FTP services, whose ports most share with the one before them.
    mutating func addMarks(of services: [FTPService]) {
        let services = services.span
        var last: (control: [UInt16], passive: PortRange, traffic: [NumberedTraffic])?
        for owner in services.indices {
            guard services[owner].addresses.count == 1, services[owner].forwarding == .nat,
                services[owner].active?.to != .virtualAddress
            else {
                add(services[owner].service, owner)
                continue
            }
            let prefix = services[owner].addresses[0]
            guard prefix.family == id.family else { continue }
            if last?.passive != services[owner].passivePorts || last?.control != services[owner].controlPorts {
                let traffic = traffic(from: Traffic(), to: services[owner].service.traffic)
                last = (services[owner].controlPorts, services[owner].passivePorts, traffic)
            }
            add(prefix, last?.traffic ?? [], .mark(MarkOperation(services[owner].mark)), owner: owner, entry: 0)
        }
    }

    /// Adds the rules that mark the packets of the services: service by service, address by address, as a person would write
    /// them.
    mutating func addMarks(of services: [Service], firstOwner: Int) {
        let services = services.span
        for index in services.indices {
            guard services[index].asksForNothingElse, services[index].addresses.included.count == 1 else {
                add(services[index], firstOwner + index)
                continue
            }
            let prefix = services[index].addresses.included[0]
            guard prefix.family == id.family else { continue }
            let traffic = traffic(from: TableDraft.everything, to: services[index].traffic)
            add(prefix, traffic, .mark(MarkOperation(services[index].mark)), owner: firstOwner + index, entry: 0)
        }
    }

    private static let everything = Traffic()

    private mutating func add(_ service: Service, _ owner: Int) {
        guard let placed = AddressChoice(service.addresses, id.family), var alternatives = Alternatives(service, id.family)
        else { return }
        alternatives.except(placed, .destination)
        var targets = [Target.mark(MarkOperation(service.mark))]
        if service.savesMark {
            let mask = service.mark.mask
            targets.append(.connectionMark(.save(connectionMask: mask, packetMask: mask)))
        }
        let rules = OwnRules(
            name: service.name, owner: Int32(owner), placed: placed, traffic: traffic(from: Traffic(), to: service.traffic),
            alternatives: alternatives, targets: targets)
        rules.add(to: &self, service.entries)
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
    /// The entry chains that have its rules, as indices into those of mangle. Packets of the director itself come in by no
    /// interface and have no sender's address.
    fileprivate var entries: [Int] {
        Table.mangle.entries.indices.filter { index in
            let hook = Table.mangle.entries[index].hook
            return hooks.contains(hook) && (hook != .output || inInterfaces.included.isEmpty && sourceMACs.isEmpty)
        }
    }

    /// Whether it has addresses without "!", protocols and ports, and asks for nothing else.
    fileprivate var asksForNothingElse: Bool {
        addresses.excluded.isEmpty && sources.included.isEmpty && sources.excluded.isEmpty && sourceMACs.included.isEmpty
            && sourceMACs.excluded.isEmpty && inInterfaces.included.isEmpty && inInterfaces.excluded.isEmpty && !savesMark
            && hooks.count == 1 && hooks[0] == .prerouting
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
