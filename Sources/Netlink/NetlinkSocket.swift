import CNetlink
import Glibc

/// Why the kernel did not answer.
package struct NetlinkError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The kernel's number of the error.
    package let errno: CInt
    /// What was asked, and the answer.
    package let description: String

    init(_ number: CInt, _ doing: String) {
        errno = number
        description = "\(doing): \(String(cString: strerror(number)))"
    }
}

/// A netlink socket of the calling thread's network namespace, for questions that change nothing.
struct NetlinkSocket: ~Copyable {
    private let descriptor: CInt

    /// A socket of `NETLINK_ROUTE` or `NETLINK_NETFILTER`.
    init(_ family: CInt) throws(NetlinkError) {
        descriptor = socket(AF_NETLINK, CInt(SOCK_RAW.rawValue | UInt32(O_CLOEXEC)), family)
        guard descriptor >= 0 else { throw NetlinkError(errno, "opening a netlink socket") }
        // No answer is to hang us: the kernel's come at once.
        var timeout = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    /// Asks for all objects of a kind and returns the messages' bodies, the headers cut off.
    func dump(_ type: UInt16, _ body: [UInt8], _ doing: String) throws(NetlinkError) -> [NetlinkMessage] {
        let headSize = MemoryLayout<nlmsghdr>.size
        var head = nlmsghdr()
        head.nlmsg_len = UInt32(headSize + body.count)
        head.nlmsg_type = type
        head.nlmsg_flags = UInt16(NLM_F_REQUEST | NLM_F_ROOT | NLM_F_MATCH)
        let request = withUnsafeBytes(of: &head) { Array($0) } + body
        guard send(descriptor, request, request.count, 0) == request.count else { throw NetlinkError(errno, doing) }

        var messages: [NetlinkMessage] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw NetlinkError(count < 0 ? errno : EPIPE, doing) }
            var rest = buffer[..<count]
            while rest.count >= headSize {
                let head = NetlinkMessage.load(nlmsghdr.self, rest, at: 0)
                let length = Int(head.nlmsg_len)
                guard length >= headSize, length <= rest.count else { throw NetlinkError(EBADMSG, doing) }
                let body = Array(rest.dropFirst(headSize).prefix(length - headSize))
                switch Int32(head.nlmsg_type) {
                case NLMSG_DONE: return messages
                case NLMSG_ERROR:
                    let number = body.count >= 4 ? -NetlinkMessage.load(Int32.self, body[...], at: 0) : EBADMSG
                    throw NetlinkError(number, doing)
                case NLMSG_NOOP: break
                default: messages.append(NetlinkMessage(type: head.nlmsg_type, bytes: body))
                }
                rest = rest.dropFirst((length + 3) & ~3)
            }
        }
    }
}

/// A message of the kernel's: a fixed head, then attributes.
struct NetlinkMessage {
    let type: UInt16
    let bytes: [UInt8]

    /// The head; nil if the message is too short for it.
    func head<Head: BitwiseCopyable>(_ type: Head.Type) -> Head? {
        bytes.count >= MemoryLayout<Head>.size ? NetlinkMessage.load(type, bytes[...], at: 0) : nil
    }

    /// The attributes behind a head of that size.
    func attributes(behind headSize: Int) -> NetlinkAttributes {
        NetlinkAttributes(bytes.dropFirst((headSize + 3) & ~3))
    }

    /// The value at the offset from the slice's start, in the machine's byte order; traps outside the slice.
    static func load<Value: BitwiseCopyable>(_ type: Value.Type, _ bytes: ArraySlice<UInt8>, at offset: Int) -> Value {
        bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: type) }
    }
}

/// Attributes by their numbers, and in their order (`struct nlattr` of `<linux/netlink.h>`).
struct NetlinkAttributes {
    private(set) var list: [(type: Int, bytes: ArraySlice<UInt8>)] = []

    /// Reads attributes up to the first that does not fit.
    init(_ bytes: ArraySlice<UInt8>) {
        var rest = bytes
        while rest.count >= 4 {
            let length = Int(NetlinkMessage.load(UInt16.self, rest, at: 0))
            guard length >= 4, length <= rest.count else { return }
            // The two highest bits say that it is nested, and its byte order.
            let type = Int(NetlinkMessage.load(UInt16.self, rest, at: 2) & 0x3fff)
            list.append((type, rest.dropFirst(4).prefix(length - 4)))
            rest = rest.dropFirst((length + 3) & ~3)
        }
    }

    /// The bytes of the first attribute of that number.
    func bytes(_ type: Int) -> ArraySlice<UInt8>? { list.first { $0.type == type }?.bytes }

    /// A number of 32 bits in the machine's byte order.
    func number(_ type: Int) -> UInt32? {
        bytes(type).flatMap { $0.count >= 4 ? NetlinkMessage.load(UInt32.self, $0, at: 0) : nil }
    }

    /// A number of 32 bits in network byte order, as nf_tables sends them.
    func networkNumber(_ type: Int) -> UInt32? { number(type).map { UInt32(bigEndian: $0) } }

    /// A text up to its NUL.
    func text(_ type: Int) -> String? { bytes(type).map { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) } }

    /// The attributes inside of one.
    func nested(_ type: Int) -> NetlinkAttributes? { bytes(type).map { NetlinkAttributes($0) } }
}
