// SPDX-License-Identifier: GPL-2.0-or-later
import Rules

extension RuleParser {
    /// Reads the option of a target; false where it has no type.
    mutating func targetOption(_ option: String, _ name: String) -> Bool {
        switch (name, option) {
        case ("MARK", _): return markOption(option)
        case ("CONNMARK", _): return connectionMarkOption(option)
        case ("SNAT", "--to-source"): return sourceOption()
        case ("DNAT", "--to-destination"): return destinationOption()
        case ("MASQUERADE", _), ("SNAT", _), ("DNAT", _): return translationOption(option, name)
        case ("CT", "--helper"):
            guard target == nil, let text = argument() else { return false }
            target = .helper(text)
            return true
        default: return false
        }
    }

    private mutating func markOption(_ option: String) -> Bool {
        guard target == nil, let operation = operation(option) else { return false }
        target = .mark(operation)
        return true
    }

    /// The options of MARK as iptables-extensions(8) explains them, each as clearing and XOR.
    private mutating func operation(_ option: String) -> MarkOperation? {
        guard ["--set-xmark", "--set-mark", "--or-mark", "--and-mark", "--xor-mark"].contains(option), let text = argument() else {
            return nil
        }
        let halves = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let numbers = halves.compactMap { RuleParser.number($0) }
        guard numbers.count == halves.count, let value = numbers.first else { return nil }
        let mask = numbers.count == 2 ? numbers[1] : UInt32.max
        return switch option {
        case "--set-xmark": MarkOperation(value: value, mask: mask)
        case "--set-mark": MarkOperation(value: value, mask: numbers.count == 2 ? mask | value : mask)
        case "--or-mark": MarkOperation(value: value, mask: value)
        case "--and-mark": MarkOperation(value: 0, mask: ~value)
        default: MarkOperation(value: value, mask: 0)
        }
    }

    private mutating func connectionMarkOption(_ option: String) -> Bool {
        switch option {
        case "--save-mark" where target == nil: target = .connectionMark(.save(connectionMask: .max, packetMask: .max))
        case "--restore-mark" where target == nil: target = .connectionMark(.restore(connectionMask: .max, packetMask: .max))
        case "--nfmask", "--ctmask", "--mask":
            guard let text = argument(), let mask = RuleParser.number(text[...]) else { return false }
            let (packet, connection) = (option != "--ctmask", option != "--nfmask")
            switch target {
            case .connectionMark(.save(let c, let p)):
                target = .connectionMark(.save(connectionMask: connection ? mask : c, packetMask: packet ? mask : p))
            case .connectionMark(.restore(let c, let p)):
                target = .connectionMark(.restore(connectionMask: connection ? mask : c, packetMask: packet ? mask : p))
            default: return false
            }
        default:
            guard target == nil, let operation = operation(option) else { return false }
            target = .connectionMark(.set(value: operation.value, mask: operation.mask))
        }
        return true
    }

    private mutating func sourceOption() -> Bool {
        guard let text = argument() else { return false }
        let halves = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = try? Address(parsing: String(halves[0])), first.family == family,
            let last = halves.count == 1 ? first : try? Address(parsing: String(halves[1])), last.family == family, first <= last
        else {
            giveBack()
            return false
        }
        var options = TranslationOptions()
        if case .sourceNAT(let range) = target { options = range.options }
        target = .sourceNAT(SourceRange(first, last, options: options))
        return true
    }

    private mutating func translationOption(_ option: String, _ name: String) -> Bool {
        let change: (inout TranslationOptions) -> Void
        switch option {
        case "--random": change = { $0.isRandom = true }
        case "--random-fully": change = { $0.isFullyRandom = true }
        case "--persistent" where name != "MASQUERADE": change = { $0.isPersistent = true }
        default: return false
        }
        switch target {
        case nil where name == "MASQUERADE":
            var options = TranslationOptions()
            change(&options)
            target = .masquerade(options)
        case .masquerade(var options):
            change(&options)
            target = .masquerade(options)
        case .sourceNAT(let range):
            var options = range.options
            change(&options)
            target = .sourceNAT(SourceRange(range.first, range.last, options: options))
        case .destinationNAT(let range):
            var options = range.options
            change(&options)
            target = .destinationNAT(DestinationRange(range.first, range.last, options: options))
        default: return false
        }
        return true
    }

    /// `10.0.0.1`, `10.0.0.1-10.0.0.9:8080`, `[2001:db8::1]:80-90`, `:8080`.
    private mutating func destinationOption() -> Bool {
        guard let text = argument(), target == nil else { return false }
        guard let range = RuleParser.destinationRange(text, family) else {
            giveBack()
            return false
        }
        target = .destinationNAT(range)
        return true
    }

    private static func destinationRange(_ text: String, _ family: Family) -> DestinationRange? {
        var (addresses, ports) = (text[...], Substring?.none)
        let isBracketed = text.hasPrefix("[")
        if isBracketed {
            guard let end = text.firstIndex(of: "]") else { return nil }
            addresses = text[text.index(after: text.startIndex)..<end]
            let rest = text[text.index(after: end)...]
            guard rest.isEmpty || rest.hasPrefix(":") else { return nil }
            ports = rest.isEmpty ? nil : rest.dropFirst()
        } else if family == .ipv4, let colon = text.firstIndex(of: ":") {
            (addresses, ports) = (text[..<colon], text[text.index(after: colon)...])
        }
        let ends = addresses.isEmpty ? [] : addresses.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        let known = ends.compactMap { try? Address(parsing: String($0)) }.filter { $0.family == family }
        guard known.count == ends.count, known.isEmpty || known[0] <= known[known.count - 1] else { return nil }
        var options = TranslationOptions()
        if let ports {
            let numbers = ports.split(separator: "-", omittingEmptySubsequences: false).map { UInt16($0) }
            guard numbers.count <= 2, let lower = numbers[0], let upper = numbers[numbers.count - 1], lower <= upper else {
                return nil
            }
            options.ports = PortRange(lower, upper)
        }
        return DestinationRange(known.first, known.last, options: options)
    }
}
