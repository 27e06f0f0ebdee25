// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Rules

/// Virtual services as lines for `ipvsadm -R`, which takes no comments.
enum Ipvsadm {
    static func render(_ services: [RenderedService]) -> String {
        var text = ""
        for service in services {
            text += "-A \(selector(service)) -s rr -p \(RenderedService.persistence)\n"
            for server in service.realServers { text += realServer("\(server)", service) + "\n" }
        }
        return text
    }

    /// The line for a real server of the service.
    static func realServer(_ address: String, _ service: RenderedService) -> String {
        let end = service.family == .ipv6 ? "[\(address)]:0" : "\(address):0"
        return "-a \(selector(service)) -r \(end) \(method(service.forwarding)) -w 1"
    }

    private static func selector(_ service: RenderedService) -> String {
        "-f \(service.mark)" + (service.family == .ipv6 ? " -6" : "")
    }

    private static func method(_ forwarding: FTPService.Forwarding) -> String {
        switch forwarding {
        case .nat: "-m"
        case .direct: "-g"
        case .tunnel: "-i"
        }
    }
}
