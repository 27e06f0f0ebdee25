// Fuzzes the configuration parser with libFuzzer: whatever the bytes are, there is an answer, and the answer is a sound one.
import ConfigurationFile
import Planner
import Rules

/// Tries one input: up to three files, divided by the byte 0xff, which is part of no UTF-8 text.
@_cdecl("LLVMFuzzerTestOneInput")
package func fuzz(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    let bytes = UnsafeBufferPointer(start: data, count: size)
    let texts = bytes.split(separator: 0xff, maxSplits: 2, omittingEmptySubsequences: false).enumerated().map { number, part in
        ConfigurationText(path: "\(number)", bytes: Array(part))
    }
    do throws(ConfigurationFaults) {
        check(try Configuration.load(texts), texts)
    } catch {
        check(error.faults, texts)
    }
    return 0
}

/// What was accepted obeys the rules, and can be planned.
private func check(_ loaded: LoadedConfiguration, _ texts: [ConfigurationText]) {
    let configuration = loaded.configuration
    let services = configuration.allServices
    require(Set(services.map(\.name)).count == services.count, "two services have one name")
    require(loaded.files == texts && loaded.sha256.utf8.count == 64, "the files are others")
    for service in services {
        require(!service.addresses.isEmpty && !service.ports.isEmpty, "an empty service")
        require(service.mark.value != 0, "mark 0")
        for other in services where service.mark.conflicts(with: other.mark) {
            require(!meet(service, other), "two marks for one packet")
        }
    }
    for layout in Planner.Layout.allCases {
        let ruleset = Planner.ruleset(for: configuration, layout: layout)
        for chain in ruleset.tables.values.joined() {
            for rule in chain.rules { require(!rule.iptablesSyntax.isEmpty, "a rule without words") }
        }
    }
}

/// Whether there are packets of both services.
private func meet(_ left: Service, _ right: Service) -> Bool {
    if let a = left.inInterface, let b = right.inInterface, !a.overlaps(b) { return false }
    guard left.addresses.contains(where: { a in right.addresses.contains { $0.overlaps(a) } }) else { return false }
    return left.ports.contains { transport, ranges in
        ranges.contains { a in right.ports[transport]?.contains { $0.overlaps(a) } ?? false }
    }
}

/// Faults stand within the files, in order, each on one line, and are the same when the files are read again.
private func check(_ faults: [Fault], _ texts: [ConfigurationText]) {
    require((1...1001).contains(faults.count), "\(faults.count) faults")
    var last = (file: "", line: 0, column: 0)
    for fault in faults {
        let position = fault.position
        guard let number = Int(position.file), texts.indices.contains(number) else { fatalError("a fault in no file: \(fault)") }
        let lines = texts[number].bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        require((1...lines.count + 1).contains(position.line), "a line that is not there: \(fault)")
        let width = position.line <= lines.count ? lines[position.line - 1].count : 0
        require((1...width + 1).contains(position.column), "a column that is not there: \(fault)")
        let here = (file: position.file, line: position.line, column: position.column)
        require(last <= here, "out of order: \(fault)")
        last = here
        let text = fault.description
        require(!fault.problem.isEmpty && !fault.expected.isEmpty && text.utf8.count < 5000, "\(fault)")
        let isPlain = text.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7f...0x9f).contains($0.value) }
        require(isPlain, "more than a line: \(fault)")
    }
    do throws(ConfigurationFaults) {
        _ = try Configuration.load(texts)
        fatalError("refused once, and accepted then")
    } catch {
        require(error.faults == faults, "other faults at the second reading")
    }
}

private func require(_ condition: Bool, _ message: @autoclosure () -> String) {
    if !condition { fatalError(message()) }
}
