// SPDX-License-Identifier: GPL-2.0-or-later
import CNetlink

/// A message from the kernel without its `nlmsghdr`: a fixed head, then attributes.
struct NetlinkMessage {
    /// What `nlmsg_type` said.
    let type: UInt16
    /// Everything after the `nlmsghdr`.
    let bytes: [UInt8]

    /// The head; nil if the message is too short for it.
    func head<Head: BitwiseCopyable>(_ type: Head.Type) -> Head? { NetlinkMessage.load(type, bytes[...], at: 0) }

    /// The attributes after a head of that size.
    func attributes(after headSize: Int) -> NetlinkAttributes {
        NetlinkAttributes(bytes.dropFirst((headSize + 3) & ~3))
    }

    /// The value at the offset from the slice's start, in the machine's byte order; nil if it is not inside the slice.
    static func load<Value: BitwiseCopyable>(_ type: Value.Type, _ bytes: ArraySlice<UInt8>, at offset: Int) -> Value? {
        guard offset >= 0, offset <= bytes.count - MemoryLayout<Value>.size else { return nil }
        return bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: type) }
    }

    /// Splits what one `recv` gave into messages. Stops at the first whose length cannot be right.
    ///
    /// - Returns: the messages, and whether all bytes belonged to one.
    static func split(_ received: ArraySlice<UInt8>) -> (messages: [(head: nlmsghdr, body: ArraySlice<UInt8>)], isWhole: Bool) {
        let headSize = MemoryLayout<nlmsghdr>.size
        var messages: [(head: nlmsghdr, body: ArraySlice<UInt8>)] = []
        var rest = received
        while let head = load(nlmsghdr.self, rest, at: 0) {
            let length = Int(head.nlmsg_len)
            guard length >= headSize, length <= rest.count else { return (messages, false) }
            messages.append((head, rest.dropFirst(headSize).prefix(length - headSize)))
            rest = rest.dropFirst((length + 3) & ~3)
        }
        return (messages, rest.isEmpty)
    }
}
