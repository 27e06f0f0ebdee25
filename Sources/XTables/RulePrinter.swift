// SPDX-License-Identifier: GPL-2.0-or-later
import CXTables
import Glibc
package import Netfilter
package import Rules

/// Rules in the words of `iptables-legacy -S`, also those that `Rules.Rule` has none for: their matches and targets are
/// printed, for eyes alone, by iptables' own plugins (`XTABLES_LIBDIR`, else where libxtables looks).
///
/// The plugins run in a process of their own, one for all rules of a family that are asked for together. What no plugin prints is shown
/// by name and size, with the reason: `-m ndpi [168 bytes: no plugin]`.
package enum RulePrinter {
    /// The rules as they are after `-A CHAIN ` in the output of `iptables-legacy -S`, in the order of `rules`.
    package static func text(of rules: [KernelRule.Content], _ family: Family) -> [String] {
        text(of: rules.map { ($0, family) })
    }

    /// The rule as it is after `-A CHAIN ` in the output of `iptables-legacy -S`. For many rules at once, `text(of:)` with
    /// a list is much faster.
    package static func text(of rule: KernelRule.Content, _ family: Family) -> String { text(of: [(rule, family)])[0] }

    /// The rules of both families as they are after `-A CHAIN ` in the output of `iptables-legacy -S` and `ip6tables-legacy -S`.
    package static func text(of rules: [(rule: KernelRule.Content, family: Family)]) -> [String] {
        text(of: rules, pluginDirectories: nil)
    }

    /// The same with plugins from these directories.
    static func text(of rules: [(rule: KernelRule.Content, family: Family)], pluginDirectories: String?) -> [String] {
        var texts = [String](repeating: "", count: rules.count)
        var printed: [(index: Int, parts: EntryParts, hasPrintedTarget: Bool, family: Family)] = []
        for (index, (content, family)) in rules.enumerated() {
            if content.hasWords {
                texts[index] = content.rule.iptablesSyntax
            } else if let parts = try? EntryParts(content, family) {
                printed.append((index, parts, content.rule.target.isExtension, family))
            } else {
                texts[index] = content.description
            }
        }
        guard !printed.isEmpty else { return texts }

        var requests: [Family: [Request]] = [:]
        for (_, parts, hasPrintedTarget, family) in printed {
            requests[family, default: []] += parts.matches.map { Request(entry: parts.entry, part: $0, isTarget: false) }
            if hasPrintedTarget {
                requests[family, default: []].append(Request(entry: parts.entry, part: parts.target, isTarget: true))
            }
        }
        var answers: [Family: ArraySlice<String>] = [:]
        for (family, requests) in requests { answers[family] = ask(requests, family, pluginDirectories)[...] }
        for (index, parts, hasPrintedTarget, family) in printed {
            var text = head(parts, family)
            for _ in parts.matches { text += answers[family]?.popFirst() ?? "" }
            if hasPrintedTarget {
                text += answers[family]?.popFirst() ?? ""
            } else if !parts.target.name.isEmpty {
                text += " -\(parts.isGoto ? "g" : "j") \(printable(parts.target.name))"
            }
            texts[index] = String(text.dropFirst())
        }
        return texts
    }

    // MARK: - The head

    /// What comes before the first match, with a space before each word.
    private static func head(_ parts: EntryParts, _ family: Family) -> String {
        var text = ""
        func add(_ option: String, _ value: String, _ isInverted: Bool) {
            text += "\(isInverted ? " !" : "") \(option)\(value.isEmpty ? "" : " " + value)"
        }
        func address(_ option: String, _ address: Address, _ mask: Address, _ isInverted: Bool) {
            guard mask.bits != 0 || isInverted || (family == .ipv4 && address.bits != 0) else { return }
            let length = mask.bits.nonzeroBitCount
            let isPrefix = Prefix(containing: mask, length: length).mask == mask.bits
            add(option, "\(address)/\(isPrefix ? "\(length)" : mask.description)", isInverted)
        }
        address("-s", parts.source, parts.sourceMask, parts.inverted.contains(.source))
        address("-d", parts.destination, parts.destinationMask, parts.inverted.contains(.destination))
        for (option, interface, inversion) in [
            ("-i", parts.inInterface, EntryParts.Inversions.inInterface), ("-o", parts.outInterface, .outInterface),
        ] where !interface.isEmpty && (interface != "+" || parts.inverted.contains(inversion)) {
            add(option, interface, parts.inverted.contains(inversion))
        }
        if let number = parts.protocolNumber, number != 0 {
            let name = fwmarkd_xt_protocol_name(number).map { String(cString: $0) }
            add("-p", name ?? "\(number)", parts.inverted.contains(.protocolNumber))
        }
        if parts.isFragment { add("-f", "", parts.inverted.contains(.fragment)) }
        return text
    }

    // MARK: - Matches and targets

    private struct Request {
        let entry: [UInt8]
        let part: EntryParts.Part
        let isTarget: Bool
    }

    /// The text of each, with a space before each word.
    private static func ask(_ requests: [Request], _ family: Family, _ pluginDirectories: String?) -> [String] {
        // All entries in one buffer, each at a multiple of 8, which every structure of the kernel's is aligned to at most.
        var offsets: [Int] = []
        var size = 0
        for request in requests {
            offsets.append(size)
            size += (request.entry.count + 7) & ~7
        }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 16)
        defer { buffer.deallocate() }
        for (request, offset) in zip(requests, offsets) {
            UnsafeMutableRawBufferPointer(rebasing: buffer[offset..<offset + request.entry.count])
                .copyBytes(from: request.entry)
        }
        let parts = zip(requests, offsets).map { request, offset in
            fwmarkd_xt_part(
                entry: buffer.baseAddress.map { UnsafeRawPointer($0 + offset) }, offset: request.part.offset,
                is_target: request.isTarget ? 1 : 0)
        }
        var answers = [fwmarkd_xt_answer](repeating: fwmarkd_xt_answer(), count: requests.count)
        let failure = fwmarkd_xt_print(family == .ipv6 ? 1 : 0, pluginDirectories, parts, parts.count, &answers)
        defer {
            for answer in answers {
                free(answer.text)
                free(answer.complaint)
            }
        }
        return zip(requests, answers).map { request, answer in
            if failure == 0, fwmarkd_xt_outcome(answer.outcome) == FWMARKD_XT_PRINTED, let text = answer.text {
                return printable(UnsafeBufferPointer(start: text, count: strlen(text)).lazy.map { UInt8(bitPattern: $0) })
            }
            let reason = failure != 0 ? String(cString: strerror(failure)) : reason(answer)
            return " \(request.isTarget ? "-j" : "-m") \(request.part.name) [\(request.part.dataSize) bytes: \(reason)]"
        }
    }

    private static func reason(_ answer: fwmarkd_xt_answer) -> String {
        let complaint = answer.complaint.map { String(cString: $0) } ?? ""
        let line = complaint.split(separator: "\n").first.map(String.init)
        return switch fwmarkd_xt_outcome(answer.outcome) {
        case FWMARKD_XT_NO_PLUGIN: line ?? "no plugin"
        case FWMARKD_XT_OTHER_SIZE: "the plugin knows another size"
        case FWMARKD_XT_NO_PRINTER: "the plugin cannot print this revision"
        default: line ?? "the plugin gave up"
        }
    }
}

extension KernelRule.Content {
    /// Whether the rule is known whole, so that its own words say all of it.
    fileprivate var hasWords: Bool {
        guard entry == nil, !rule.target.isOther else { return false }
        // libxtables knows more protocols by name than our words do.
        if let transport = rule.match.transport, !ProtocolMatch.names.contains(where: { $0.number == transport.number }) {
            return false
        }
        return rule.match.conditions.allSatisfy { condition in
            switch condition {
            case .other, .set: false
            default: true
            }
        }
    }
}

extension Target {
    fileprivate var isOther: Bool {
        if case .other = self { true } else { false }
    }

    /// Whether it is a target of its own and not a verdict, a jump or nothing.
    fileprivate var isExtension: Bool {
        switch self {
        case .jump, .goTo, .returnToCaller, .accept, .drop, .queue, .none: false
        case .mark, .connectionMark, .masquerade, .sourceNAT, .destinationNAT, .helper, .other: true
        }
    }
}
