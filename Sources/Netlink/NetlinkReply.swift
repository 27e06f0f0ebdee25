// SPDX-License-Identifier: GPL-2.0-or-later
import CNetlink
import Glibc

/// What the kernel has answered so far to one question.
struct NetlinkReply {
    /// The messages' bodies.
    private(set) var messages: [NetlinkMessage] = []
    /// Whether the list changed while the kernel made it (`NLM_F_DUMP_INTR`).
    private(set) var wasInterrupted = false

    /// Whether more has to be received.
    enum Progress: Hashable {
        /// More comes.
        case more
        /// The answer is complete.
        case end
        /// The kernel refused with this error number, or what came is no netlink.
        case error(CInt)
    }

    /// Takes in what one `recv` gave.
    mutating func take(_ received: ArraySlice<UInt8>) -> Progress {
        let (parts, isWhole) = NetlinkMessage.split(received)
        for (head, body) in parts {
            if head.nlmsg_flags & UInt16(NLM_F_DUMP_INTR) != 0 { wasInterrupted = true }
            switch Int32(head.nlmsg_type) {
            // Both bear a negated error number; the end of a list may come without one.
            case NLMSG_DONE: return NetlinkReply.end(NetlinkMessage.load(Int32.self, body, at: 0) ?? 0)
            case NLMSG_ERROR: return NetlinkReply.end(NetlinkMessage.load(Int32.self, body, at: 0) ?? 1)
            case NLMSG_NOOP: break
            default: messages.append(NetlinkMessage(type: head.nlmsg_type, bytes: Array(body)))
            }
        }
        return isWhole ? .more : .error(EBADMSG)
    }

    private static func end(_ number: Int32) -> Progress {
        if number == 0 { return .end }
        return .error(number > 0 || number == .min ? EBADMSG : -number)
    }
}
