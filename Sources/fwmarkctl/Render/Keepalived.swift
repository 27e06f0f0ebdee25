// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Rules

/// Virtual services as sections of keepalived.conf(5).
enum Keepalived {
    static func render(_ services: [RenderedService]) -> String {
        services.map(render).joined(separator: "\n")
    }

    private static func render(_ service: RenderedService) -> String {
        var text = """
            # \(service.names.joined(separator: ", "))\(service.family == .ipv6 ? ", IPv6" : "")
            virtual_server fwmark \(service.mark) {
                ip_family \(service.family == .ipv4 ? "inet" : "inet6")
                delay_loop 10
                lb_algo rr
                lb_kind \(kind(service.forwarding))
                persistence_timeout \(RenderedService.persistence)

            """
        for server in service.realServers { text += realServer("\(server)", service.entrance) }
        if service.realServers.isEmpty {
            // keepalived refuses a virtual server without real ones. These addresses are for documentation alone (RFC 5737,
            // RFC 3849), so that nothing is ever sent.
            text += "    # Put your real servers in place of this one, a section each.\n"
            text += realServer(service.family == .ipv4 ? "192.0.2.1" : "2001:db8::1", service.entrance)
        }
        return text + "}\n"
    }

    private static func realServer(_ address: String, _ entrance: RenderedService.Entrance) -> String {
        """
            real_server \(address) 0 {
                weight 1
        \(check(entrance))
            }

        """
    }

    private static func check(_ entrance: RenderedService.Entrance) -> String {
        switch entrance.transport {
        case .tcp, .udp:
            """
                    \(entrance.transport == .tcp ? "TCP_CHECK" : "UDP_CHECK") {
                        connect_port \(entrance.port)
                        connect_timeout 3
                    }
            """
        // keepalived has no check that speaks SCTP, and none for what has no ports.
        case .sctp, nil: "        PING_CHECK {\n        }"
        }
    }

    private static func kind(_ forwarding: FTPService.Forwarding) -> String {
        switch forwarding {
        case .nat: "NAT"
        case .direct: "DR"
        case .tunnel: "TUN"
        }
    }
}
