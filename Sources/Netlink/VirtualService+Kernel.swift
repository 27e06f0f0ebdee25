// SPDX-License-Identifier: GPL-2.0-or-later
import CNetlink
import Glibc
import Rules
package import SystemCalls

extension VirtualService {
    /// Reads the virtual services of the calling thread's network namespace from IPVS' generic netlink family.
    ///
    /// The real servers of a service cost a question of their own, so they are asked for where they are wanted.
    ///
    /// - Parameter areWanted: whose real servers are read; by default those of all services.
    /// - Returns: the services in the kernel's order; nil while IPVS is not loaded. Looking never loads it.
    /// - Throws: with EPERM without CAP_NET_ADMIN.
    package static func readAll(
        realServersWhere areWanted: (VirtualService) -> Bool = { _ in true }
    ) throws(SystemError) -> [VirtualService]? {
        // Asking for a family that is not there makes the kernel load a module of that name.
        guard access("/proc/thread-self/net/ip_vs", F_OK) == 0 || access("/proc/net/ip_vs", F_OK) == 0 else { return nil }
        let socket = try NetlinkSocket(NETLINK_GENERIC)
        guard let family = try genericFamily(socket, IPVS_GENL_NAME) else { return nil }
        var services = try socket.dump(
            family, head(IPVS_CMD_GET_SERVICE), "reading IPVS' virtual services"
        ).compactMap(VirtualService.init(message:))
        for index in services.indices where areWanted(services[index]) {
            let service = services[index]
            do {
                services[index].realServers = try socket.dump(
                    family, head(IPVS_CMD_GET_DEST) + service.request, "reading IPVS' real servers"
                ).compactMap { RealServer(message: $0, family: service.family) }
            } catch {
                // Removed meanwhile.
                guard error.errno == ENOENT || error.errno == ESRCH else { throw error }
            }
        }
        return services
    }

    /// The number of a generic netlink family; nil: it does not exist.
    private static func genericFamily(_ socket: borrowing NetlinkSocket, _ name: String) throws(SystemError) -> UInt16? {
        let body = head(Int(CTRL_CMD_GETFAMILY)) + NetlinkAttributes.encode(Int(CTRL_ATTR_FAMILY_NAME), Array(name.utf8) + [0])
        do {
            let message = try socket.one(UInt16(GENL_ID_CTRL), body, "asking for the netlink family \(name)")
            return message.attributes(after: MemoryLayout<genlmsghdr>.size).value(Int(CTRL_ATTR_FAMILY_ID), as: UInt16.self)
        } catch {
            guard error.errno == ENOENT else { throw error }
            return nil
        }
    }

    private static func head(_ command: Int) -> [UInt8] {
        [UInt8(truncatingIfNeeded: command), UInt8(IPVS_GENL_VERSION), 0, 0]
    }
}

extension VirtualService {
    /// The service in a message of IPVS; nil if a part is missing that every service has.
    init?(message: NetlinkMessage) {
        guard message.type >= NLMSG_MIN_TYPE,
            let attributes = message.attributes(after: MemoryLayout<genlmsghdr>.size).nested(IPVS_CMD_ATTR_SERVICE),
            let family = Family(number: attributes.value(IPVS_SVC_ATTR_AF, as: UInt16.self))
        else { return nil }
        let subject: Subject
        if let mark = attributes.number(IPVS_SVC_ATTR_FWMARK) {
            subject = .mark(mark)
        } else if let bytes = attributes.bytes(IPVS_SVC_ATTR_ADDR), let address = Address(bytes, family),
            let transport = attributes.value(IPVS_SVC_ATTR_PROTOCOL, as: UInt16.self),
            let port = attributes.value(IPVS_SVC_ATTR_PORT, as: UInt16.self)
        {
            subject = .address(protocol: UInt8(truncatingIfNeeded: transport), address, port: UInt16(bigEndian: port))
        } else {
            return nil
        }
        // Kernels before 4.1 count in 32 bits.
        let statistics = attributes.nested(IPVS_SVC_ATTR_STATS64)
        let narrow = attributes.nested(IPVS_SVC_ATTR_STATS)?.number(IPVS_STATS_ATTR_CONNS) ?? 0
        let connections = statistics?.value(IPVS_STATS_ATTR_CONNS, as: UInt64.self) ?? UInt64(narrow)
        let flags = attributes.number(IPVS_SVC_ATTR_FLAGS) ?? 0
        let isPersistent = flags & UInt32(IP_VS_SVC_F_PERSISTENT) != 0
        // A mask in network byte order for IPv4; for IPv6 a length in the machine's.
        let mask = attributes.number(IPVS_SVC_ATTR_NETMASK)
        self.init(
            family, subject, scheduler: attributes.text(IPVS_SVC_ATTR_SCHED_NAME) ?? "",
            persistence: isPersistent ? attributes.number(IPVS_SVC_ATTR_TIMEOUT) ?? 0 : nil,
            persistencePrefix: mask.map { family == .ipv4 ? $0.nonzeroBitCount : min(Int($0), 128) },
            isOnePacket: flags & UInt32(IP_VS_SVC_F_ONEPACKET) != 0, connections: connections)
    }

    /// The attributes that name the service in a question for its real servers.
    fileprivate var request: [UInt8] {
        let number = UInt16(family == .ipv4 ? AF_INET : AF_INET6)
        var inside = NetlinkAttributes.encode(IPVS_SVC_ATTR_AF, value: number)
        switch subject {
        case .mark(let mark): inside += NetlinkAttributes.encode(IPVS_SVC_ATTR_FWMARK, value: mark)
        case .address(let transport, let address, let port):
            // IPVS takes 16 bytes for both families.
            let octets = address.octets
            inside += NetlinkAttributes.encode(IPVS_SVC_ATTR_PROTOCOL, value: UInt16(transport))
            inside += NetlinkAttributes.encode(
                IPVS_SVC_ATTR_ADDR, octets + [UInt8](repeating: 0, count: 16 - octets.count))
            inside += NetlinkAttributes.encode(IPVS_SVC_ATTR_PORT, value: port.bigEndian)
        }
        return NetlinkAttributes.encode(IPVS_CMD_ATTR_SERVICE | Int(NLA_F_NESTED), inside)
    }
}

extension RealServer {
    /// The real server in a message of IPVS (`IPVS_DEST_ATTR_…` of `<linux/ip_vs.h>`); nil if a part is missing that every real server has.
    init?(message: NetlinkMessage, family: Family) {
        guard message.type >= NLMSG_MIN_TYPE,
            let attributes = message.attributes(after: MemoryLayout<genlmsghdr>.size).nested(IPVS_CMD_ATTR_DEST),
            // Absent from kernels before 3.18: the service's family.
            let ownFamily = Family(
                number: attributes.value(IPVS_DEST_ATTR_ADDR_FAMILY, as: UInt16.self) ?? family.number),
            let address = attributes.bytes(IPVS_DEST_ATTR_ADDR).flatMap({ Address($0, ownFamily) })
        else { return nil }
        func count(_ attribute: Int) -> UInt32 { attributes.number(attribute) ?? 0 }
        let forwarding: Forwarding =
            switch Int32(bitPattern: count(IPVS_DEST_ATTR_FWD_METHOD)) & IP_VS_CONN_F_FWD_MASK {
            case IP_VS_CONN_F_MASQ: .nat
            case IP_VS_CONN_F_LOCALNODE: .local
            case IP_VS_CONN_F_TUNNEL: .tunnel
            case IP_VS_CONN_F_DROUTE: .direct
            default: .other
            }
        self.init(
            address, port: attributes.value(IPVS_DEST_ATTR_PORT, as: UInt16.self).map(UInt16.init(bigEndian:)) ?? 0,
            forwarding: forwarding, weight: Int(Int32(bitPattern: count(IPVS_DEST_ATTR_WEIGHT))),
            activeConnections: count(IPVS_DEST_ATTR_ACTIVE_CONNS),
            inactiveConnections: count(IPVS_DEST_ATTR_INACT_CONNS),
            persistentConnections: count(IPVS_DEST_ATTR_PERSIST_CONNS))
    }
}

extension Family {
    /// `AF_INET` or `AF_INET6`.
    fileprivate var number: UInt16 { UInt16(self == .ipv4 ? AF_INET : AF_INET6) }

    /// The family of that number; nil for all others.
    fileprivate init?(number: UInt16?) {
        switch number.map(Int32.init) {
        case AF_INET: self = .ipv4
        case AF_INET6: self = .ipv6
        default: return nil
        }
    }
}
