// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Rules

/// Virtual services as lines for `ipvsadm -R`, which takes no comments.
enum Ipvsadm {
    static func render(_ services: [RenderedService]) -> String {
        var text = ""
        for service in services {
            let selector = "-f \(service.mark)" + (service.family == .ipv6 ? " -6" : "")
            text += "-A \(selector) -s rr -p \(RenderedService.persistence)\n"
            for server in service.realServers {
                text +=
                    "-a \(selector) -r \(server.family == .ipv6 ? "[\(server)]:0" : "\(server):0") \(method(service.forwarding)) -w 1\n"
            }
        }
        return text
    }

    private static func method(_ forwarding: FTPService.Forwarding) -> String {
        switch forwarding {
        case .nat: "-m"
        case .direct: "-g"
        case .tunnel: "-i"
        }
    }
}
