import Rules

/// Virtual services as lines for `ipvsadm -R`, which takes no comments.
enum Ipvsadm {
    static func render(_ services: [VirtualService]) -> String {
        var text = ""
        for service in services {
            let selector = "-f \(service.mark)" + (service.family == .ipv6 ? " -6" : "")
            text += "-A \(selector) -s rr -p \(VirtualService.persistence)\n"
            for server in service.realServers {
                // Masquerading: the way back leads through the director, which translates what the servers open.
                text += "-a \(selector) -r \(server.family == .ipv6 ? "[\(server)]:0" : "\(server):0") -m -w 1\n"
            }
        }
        return text
    }
}
