// SPDX-License-Identifier: GPL-2.0-or-later
import CDigest
import Rules

extension Configuration {
    /// SHA-256 of what rules depend on: all but how the daemon behaves, except where the jump goes. Comments, the order of keys and
    /// the cut into files do not count.
    package var sha256: String {
        var digest = Digest()
        digest.add(daemon.hookPosition.rawValue)
        digest.add(ftp.count)
        for entry in ftp {
            digest.add(entry.name)
            digest.add(entry.mark)
            digest.add(entry.addresses)
            digest.add(entry.controlPorts)
            digest.add(UInt32(entry.passivePorts.lower) << 16 | UInt32(entry.passivePorts.upper))
            digest.add(UInt8(entry.forwarding == .nat ? 0 : entry.forwarding == .direct ? 1 : 2))
            digest.add(entry.active)
        }
        digest.add(services.count)
        for entry in services { digest.add(entry) }
        digest.add(masquerades.count)
        for entry in masquerades { digest.add(entry) }
        return digest.finish()
    }
}

extension ConfigurationText {
    /// SHA-256 over names' last components and contents of all files.
    static func sha256(_ files: [ConfigurationText]) -> String {
        var digest = Digest()
        for file in files {
            digest.add(file.path.split(separator: "/").last.map(String.init) ?? file.path)
            digest.add(file.bytes.count)
            digest.add(bytes: file.bytes)
        }
        return digest.finish()
    }
}

/// A SHA-256 that values are added to. Each has a fixed length or its length before it, so that no two lists of values are one text.
private struct Digest {
    private var context = SHA2_CTX()
    private var buffer: [UInt8] = []

    init() {
        SHA256Init(&context)
        buffer.reserveCapacity(1 << 16)
    }

    mutating func add(bytes: some Collection<UInt8>) {
        buffer.append(contentsOf: bytes)
        if buffer.count >= 1 << 15 { flush() }
    }

    mutating func add<Number: FixedWidthInteger & UnsignedInteger>(_ number: Number) {
        for shift in stride(from: 0, to: Number.bitWidth, by: 8) {
            buffer.append(UInt8(truncatingIfNeeded: number >> Number(shift)))
        }
        if buffer.count >= 1 << 15 { flush() }
    }

    /// Adds a length: most are below 128, and one byte.
    mutating func add(_ count: Int) {
        var rest = UInt(count)
        while rest >= 0x80 {
            buffer.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        buffer.append(UInt8(rest))
    }

    mutating func add(_ text: String) {
        add(text.utf8.count)
        add(bytes: text.utf8)
    }

    mutating func add(_ mark: Mark) {
        add(mark.value)
        add(mark.mask)
    }

    mutating func add(_ address: Address) {
        add(UInt8(address.family == .ipv4 ? 4 : 6))
        if address.family == .ipv4 { add(UInt32(address.bits)) } else { add(address.bits) }
    }

    mutating func add(_ prefixes: [Prefix]) {
        add(prefixes.count)
        for prefix in prefixes {
            add(prefix.address)
            add(UInt8(prefix.length))
        }
    }

    mutating func add(_ ports: [UInt16]) {
        add(ports.count)
        for port in ports { add(port) }
    }

    mutating func add(_ ports: [PortRange]) {
        add(ports.count)
        for range in ports { add(UInt32(range.lower) << 16 | UInt32(range.upper)) }
    }

    mutating func add(_ traffic: Traffic) {
        for transport in TransportProtocol.allCases { add(traffic[transport]) }
        add(traffic.protocols.count)
        add(bytes: traffic.protocols)
        add(UInt8(traffic.isEverything ? 1 : 0))
    }

    mutating func add(_ prefixes: Selection<Prefix>) {
        add(prefixes.included)
        add(prefixes.excluded)
    }

    mutating func add(_ interfaces: Selection<InterfacePattern>) {
        for list in [interfaces.included, interfaces.excluded] {
            add(list.count)
            for pattern in list { add(pattern.description) }
        }
    }

    mutating func add(_ active: FTPService.Active?) {
        guard let active else { return add(UInt8(0)) }
        add(UInt8(1))
        add(active.realServers)
        add(active.dataPorts)
        switch active.to {
        case .masquerade: add(UInt8(0))
        case .virtualAddress: add(UInt8(1))
        case .address(let address): add(address)
        }
    }

    mutating func add(_ service: Service) {
        add(service.name)
        add(service.mark)
        add(service.addresses)
        add(service.traffic)
        add(service.sources)
        for list in [service.sourceMACs.included, service.sourceMACs.excluded] {
            add(list.count)
            for mac in list { add(mac.bits) }
        }
        add(service.inInterfaces)
        add(service.hooks.count)
        for hook in service.hooks { add(hook.rawValue) }
    }

    mutating func add(_ translation: Masquerade) {
        add(translation.name)
        add(translation.sources)
        add(translation.services.count)
        for service in translation.services { add(service) }
        add(translation.sourceTraffic)
        add(translation.destinationTraffic)
        add(translation.destinations)
        add(translation.outInterfaces)
        switch translation.to {
        case .masquerade: add(UInt8(0))
        case .unchanged: add(UInt8(1))
        case .addresses(let first, let last):
            add(first)
            add(last)
        case .virtualAddresses(let addresses, let mark):
            for address in addresses { add(address) }
            add(mark)
        }
        add(UInt8(translation.isRandom ? 1 : 0))
    }

    private mutating func flush() {
        SHA256Update(&context, buffer, buffer.count)
        buffer.removeAll(keepingCapacity: true)
    }

    mutating func finish() -> String {
        flush()
        var digest = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_LENGTH))
        SHA256Final(&digest, &context)
        return digest.map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
    }
}
