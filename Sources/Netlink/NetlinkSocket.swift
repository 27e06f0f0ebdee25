// SPDX-License-Identifier: GPL-2.0-or-later
import CNetlink
import Glibc
import SystemCalls

/// A netlink socket of the calling thread's network namespace, for questions that change nothing.
struct NetlinkSocket: ~Copyable {
    private let descriptor: Descriptor

    /// A socket of `NETLINK_ROUTE`, `NETLINK_NETFILTER` or `NETLINK_GENERIC`.
    init(_ family: CInt) throws(SystemError) {
        descriptor = Descriptor(
            owning: try systemCall("opening a netlink socket") {
                socket(AF_NETLINK, CInt(SOCK_RAW.rawValue | UInt32(O_CLOEXEC)), family)
            })
        // No answer may hang us: the kernel's come at once.
        var timeout = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(descriptor.number, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    }

    /// Asks for all objects of a kind and returns the messages' bodies, the headers cut off. A list that changed while the kernel
    /// made it is asked for again.
    func dump(_ type: UInt16, _ body: [UInt8], _ doing: String) throws(SystemError) -> [NetlinkMessage] {
        for _ in 0..<8 {
            let answer = try ask(type, UInt16(NLM_F_ROOT | NLM_F_MATCH), body, doing)
            if !answer.wasInterrupted { return answer.messages }
        }
        throw SystemError(doing, .errno(EINTR))
    }

    /// Asks for one object.
    func one(_ type: UInt16, _ body: [UInt8], _ doing: String) throws(SystemError) -> NetlinkMessage {
        guard let message = try ask(type, UInt16(NLM_F_ACK), body, doing).messages.first else {
            throw SystemError(doing, .errno(EBADMSG))
        }
        return message
    }

    private func ask(
        _ type: UInt16, _ flags: UInt16, _ body: [UInt8], _ doing: String
    ) throws(SystemError) -> (messages: [NetlinkMessage], wasInterrupted: Bool) {
        var head = nlmsghdr()
        head.nlmsg_len = UInt32(MemoryLayout<nlmsghdr>.size + body.count)
        head.nlmsg_type = type
        head.nlmsg_flags = UInt16(NLM_F_REQUEST) | flags
        let request = withUnsafeBytes(of: &head) { Array($0) } + body
        try systemCall(doing) { send(descriptor.number, request, request.count, 0) }

        var answer = NetlinkReply()
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = try systemCall(doing) { recv(descriptor.number, &buffer, buffer.count, 0) }
            guard count > 0 else { throw SystemError(doing, .errno(EPIPE)) }
            switch answer.take(buffer[..<count]) {
            case .more: continue
            case .end: return (answer.messages, answer.wasInterrupted)
            case .error(let number): throw SystemError(doing, .errno(number))
            }
        }
    }
}
