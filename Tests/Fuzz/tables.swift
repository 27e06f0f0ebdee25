// SPDX-License-Identifier: GPL-2.0-or-later
// Fuzzes the decoder of tables with libFuzzer: bytes that no kernel would give are refused or decoded, never read past their end.
import CNetfilter
import Glibc
import Rules

@testable import Netfilter

/// Tries one input: which table, what `IPT_SO_GET_INFO` says of it, and its entries.
@_cdecl("LLVMFuzzerTestOneInput")
package func fuzz(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    let input = [UInt8](UnsafeBufferPointer(start: data, count: size))
    let head = 1 + MemoryLayout<ipt_getinfo>.size
    guard input.count >= head else { return -1 }
    let id = TableID.ours[Int(input[0]) % TableID.ours.count]
    let info = input.load(ipt_getinfo.self, at: 1)
    do throws(NetfilterError) {
        try check(TableImage(id, input, from: head, info))
    } catch {
        require(error.code == .malformed || error.code == .unencodable, "\(error)")
    }
    return 0
}

/// Everything that is asked of a table somewhere.
private func check(_ image: TableImage) throws(NetfilterError) {
    let snapshot = TableSnapshot(image)
    let family = snapshot.id.family
    var encoder = EntryEncoder(family)
    for chain in snapshot.chains {
        require(snapshot[chain.name] != nil, "the chain \(chain.name) is not found")
        _ = chain.rules.leadingIntoOurChains
        for rule in chain.rules {
            require(!rule.content.description.isEmpty || rule.rule == Rule(target: .none), "a rule without words")
            _ = (rule.isOurJump, rule.content.comment)
            let entry: [UInt8]
            do throws(NetfilterError) {
                entry = try encoder.withEntry(rule) { Array($0) }
            } catch {
                // A text that is not UTF-8 may be longer in UTF-8 than there is room.
                continue
            }
            // What was understood is said in the same words again. (libiptc wants verdicts and jumps by name, which no table has.)
            switch rule.rule.target {
            case .jump, .goTo, .returnToCaller, .accept, .drop, .queue, .none: continue
            case .other(let verdict) where verdict.name.isEmpty: continue
            default: break
            }
            var decoder = EntryDecoder(family) { _ in nil }
            let again = decoder.decode(try EntryReader(entry, at: 0, EntryLayout.of(family)))
            require(again == rule, "\(rule) becomes \(again)")
        }
        // Compared with what it is itself, as bytes and as values, and with what is not there.
        let wanted = chain.rules.filter { $0.content.entry == nil }.map(\.rule)
        let ends = chain.rules.commonEnds(with: KernelRules(wanted))
        require(ends.head + ends.tail <= chain.rules.count, "more in common than there is")
        if wanted.count == chain.rules.count { require(ends.head == wanted.count, "a chain differs from itself: \(chain)") }
        _ = chain.rules.commonEnds(with: KernelRules([Rule(target: .masquerade(TranslationOptions()))]))
    }
}

/// With FWMARKD_FUZZ_SEEDS=directory: writes the tables of this network namespace there and exits.
@_cdecl("LLVMFuzzerInitialize")
package func initialize(_ count: UnsafeMutableRawPointer, _ arguments: UnsafeMutableRawPointer) -> CInt {
    guard let directory = getenv("FWMARKD_FUZZ_SEEDS") else { return 0 }
    do throws(NetfilterError) {
        for (number, id) in TableID.ours.enumerated() {
            let socket = try TableSocket(id.family)
            let image = try socket.image(id.table)
            var info = try socket.info(id.table)
            let seed = [UInt8(number)] + withUnsafeBytes(of: &info) { Array($0) } + image.bytes[image.start...]
            let path = "\(String(cString: directory))/\(id.family)-\(id.table)-\(getpid())"
            guard let file = fopen(path, "w") else { fatalError("\(path): errno \(errno)") }
            fwrite(seed, 1, seed.count, file)
            fclose(file)
        }
    } catch {
        fatalError("\(error)")
    }
    exit(0)
}

private func require(_ condition: Bool, _ message: @autoclosure () -> String) {
    if !condition { fatalError(message()) }
}
