// SPDX-License-Identifier: GPL-2.0-or-later
import Rules
import SystemCalls
import Testing

@testable import Netlink

/// What `ipvsadm -A -f 21 -s rr -p 300; ipvsadm -a -f 21 -r 10.11.12.2 -m -w 3` makes the kernel answer.
private let serviceBytes: [UInt8] =
    [1, 1, 0, 0]  // struct genlmsghdr: IPVS_CMD_NEW_SERVICE, version 1, reserved
    + attribute(
        1 | 0x8000,  // IPVS_CMD_ATTR_SERVICE, nested
        attribute(1, u16(2))  // IPVS_SVC_ATTR_AF: AF_INET
            + attribute(5, u32(21))  // IPVS_SVC_ATTR_FWMARK
            + attribute(6, text("rr"))  // IPVS_SVC_ATTR_SCHED_NAME
            + attribute(7, u32(3) + u32(.max))  // IPVS_SVC_ATTR_FLAGS: persistent and hashed; all of them valid
            + attribute(8, u32(300))  // IPVS_SVC_ATTR_TIMEOUT, seconds
            + attribute(9, [255, 255, 255, 0])  // IPVS_SVC_ATTR_NETMASK, network byte order
            + attribute(12 | 0x8000, attribute(1, u32(7) + u32(1))))  // IPVS_SVC_ATTR_STATS64: 2^32 + 7 connections

private let serverBytes: [UInt8] =
    [5, 1, 0, 0]  // IPVS_CMD_NEW_DEST
    + attribute(
        2 | 0x8000,  // IPVS_CMD_ATTR_DEST, nested
        attribute(11, u16(2))  // IPVS_DEST_ATTR_ADDR_FAMILY
            + attribute(1, [10, 11, 12, 2] + [UInt8](repeating: 0, count: 12))  // IPVS_DEST_ATTR_ADDR, 16 bytes always
            + attribute(2, be16(0))  // IPVS_DEST_ATTR_PORT
            + attribute(3, u32(0x103))  // IPVS_DEST_ATTR_FWD_METHOD: direct, and a bit outside IP_VS_CONN_F_FWD_MASK
            + attribute(4, u32(3))  // IPVS_DEST_ATTR_WEIGHT
            + attribute(7, u32(4)) + attribute(8, u32(5)) + attribute(9, u32(6)))  // …_ACTIVE_CONNS, …_INACT_CONNS, …_PERSIST_CONNS

private func message(_ bytes: [UInt8], type: UInt16 = 0x20) -> NetlinkMessage { NetlinkMessage(type: type, bytes: bytes) }

@Suite("IPVS in its own netlink family")
struct VirtualServiceTests {
    @Test("A virtual service is read from its bytes")
    func service() throws {
        let found = try #require(VirtualService(message: message(serviceBytes)))
        #expect(
            found
                == VirtualService(
                    .ipv4, .mark(21), scheduler: "rr", persistence: 300, persistencePrefix: 24, connections: 4_294_967_303))
        #expect(found.mark == 21)
    }

    @Test("An IPv6 service on an address, one packet at a time, is read from its bytes")
    func address() throws {
        let bytes =
            [1, 1, 0, 0]
            + attribute(
                1,
                attribute(1, u16(10)) + attribute(2, u16(17))  // AF_INET6, IPVS_SVC_ATTR_PROTOCOL: UDP
                    + attribute(3, [0x20, 0x01, 0x0d, 0xb8] + [UInt8](repeating: 0, count: 11) + [1])  // …_ADDR
                    + attribute(4, be16(53)) + attribute(6, text("wlc")) + attribute(7, u32(4) + u32(.max))  // …_PORT; one packet
                    + attribute(9, u32(128)))  // …_NETMASK: for IPv6 a length
        let found = try #require(VirtualService(message: message(bytes)))
        #expect(
            found
                == VirtualService(
                    .ipv6, .address(protocol: 17, try Address(parsing: "2001:db8::1"), port: 53), scheduler: "wlc",
                    isOnePacket: true))
    }

    @Test("A real server is read from its bytes")
    func realServer() throws {
        let found = try #require(RealServer(message: message(serverBytes), family: .ipv6))
        #expect(
            found
                == RealServer(
                    try Address(parsing: "10.11.12.2"), forwarding: .direct, weight: 3, activeConnections: 4,
                    inactiveConnections: 5,
                    persistentConnections: 6))
    }

    @Test("Whatever is cut off or overwritten, nothing traps, and what is missing is not made up")
    func malformed() {
        for length in 0..<serviceBytes.count {
            _ = VirtualService(message: message(Array(serviceBytes.prefix(length))))
            _ = RealServer(message: message(Array(serverBytes.prefix(min(length, serverBytes.count)))), family: .ipv4)
        }
        for index in serviceBytes.indices {
            for byte: UInt8 in [0, 1, 3, 4, 0x7f, 0x80, 0xff] {
                var bytes = serviceBytes
                bytes[index] = byte
                _ = VirtualService(message: message(bytes))
                bytes = serverBytes
                if index < bytes.count { bytes[index] = byte }
                _ = RealServer(message: message(bytes), family: .ipv4)
            }
        }
        #expect(VirtualService(message: message([1, 1, 0, 0])) == nil)
        #expect(VirtualService(message: message([1, 1, 0, 0] + attribute(1, attribute(1, u16(2))))) == nil)
        #expect(VirtualService(message: message([1, 1, 0, 0] + attribute(1, attribute(1, u16(3)) + attribute(5, u32(1))))) == nil)
        #expect(RealServer(message: message([5, 1, 0, 0] + attribute(2, attribute(1, [10, 11]))), family: .ipv4) == nil)
    }

    @Test("Where IPVS is not loaded there are no services, and looking does not load it")
    func absent() throws {
        // The kernel of a test machine has none; where it has, the namespace of the machine is not looked into.
        guard (try? String(contentsOfProc: "ip_vs")) == nil else { return }
        #expect(try VirtualService.readAll() == nil)
    }
}

extension String {
    fileprivate init(contentsOfProc name: String) throws(SystemError) {
        self = String(decoding: try RegularFile.read("/proc/net/\(name)", limit: 1 << 20), as: UTF8.self)
    }
}

@Suite("What the kernel answers")
struct NetlinkReplyTests {
    private func header(_ type: UInt16, _ body: [UInt8], flags: UInt16 = 0) -> [UInt8] {
        // struct nlmsghdr: length, type, flags, sequence number, port.
        u32(UInt32(16 + body.count)) + u16(type) + u16(flags) + u32(0) + u32(0) + body
    }

    @Test("A list is whole at NLMSG_DONE, and errors are the kernel's numbers")
    func progress() {
        var answer = NetlinkReply()
        #expect(answer.take((header(0x20, [1, 2, 3, 4]) + header(0x20, [5, 6, 7, 8], flags: 0x10))[...]) == .more)
        #expect(answer.wasInterrupted)
        #expect(answer.take(header(3, u32(0))[...]) == .end)
        #expect(answer.messages.map(\.bytes) == [[1, 2, 3, 4], [5, 6, 7, 8]])
    }

    @Test(
        "No number from the kernel traps",
        arguments: [
            (2, u32(UInt32(bitPattern: -1)), NetlinkReply.Progress.error(1)), (2, u32(0), .end), (2, [], .error(74)),
            (2, u32(UInt32(bitPattern: .min)), .error(74)), (2, u32(5), .error(74)), (3, [], .end),
            (3, u32(UInt32(bitPattern: -4)), .error(4)),
        ] as [(UInt16, [UInt8], NetlinkReply.Progress)])
    func errors(_ type: UInt16, _ body: [UInt8], _ expected: NetlinkReply.Progress) {
        var answer = NetlinkReply()
        #expect(answer.take(header(type, body)[...]) == expected)
    }

    @Test("A length that cannot be right ends the answer with an error", arguments: [0, 15, 21, UInt32.max])
    func lengths(_ length: UInt32) {
        var answer = NetlinkReply()
        #expect(answer.take((u32(length) + Array(header(0x20, [1, 2, 3, 4]).dropFirst(4)))[...]) == .error(74))
    }
}
