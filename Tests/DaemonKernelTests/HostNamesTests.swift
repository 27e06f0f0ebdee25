// SPDX-License-Identifier: GPL-2.0-or-later
import Testing

@testable import fwmarkd

@Suite("The names that a request may call this machine by")
struct HostNamesTests {
    static let names = HostNames(["director1.example.net", "Director1"])

    @Test(
        "An address, localhost and own names are answered, with a port and without",
        arguments: [
            "127.0.0.1", "127.0.0.1:9780", "198.51.100.4:80", "[::1]", "[2001:db8::1]:9780", "localhost", "LOCALHOST:9780",
            "director1.example.net", "director1:9780", "Director1.Example.Net.", "director1.example.net.:9780",
        ])
    func known(_ host: String) { #expect(HostNamesTests.names.contains(host)) }

    @Test(
        "Every other name is refused, also one that begins or ends like an address or an own name",
        arguments: [
            "", ":9780", "example.net", "rebound.example.com", "127.0.0.1.example.com", "127.0.0.1.example.com:9780",
            "director1.example.net.example.com", "evil-director1", "xlocalhost", "localhost.example.com", "[::1].example.com",
            "[::1", "[127.0.0.1]", "[director1]", "::1", "127.0.0.1:80:80", "127.0.0.1:example.com", "director1:x", "localhost..",
        ])
    func foreign(_ host: String) { #expect(!HostNamesTests.names.contains(host)) }

    @Test("Own names are the host name, its first part, and what hosts(5) has on its lines, without comments")
    func own() {
        let hosts = """
            127.0.0.1 localhost
            127.0.1.1\tDIRECTOR1.example.net director1 ftp-gateway # old-name
            192.0.2.1 elsewhere.example.net
            # 192.0.2.2 director1.example.net commented
            """
        let names = HostNames(HostNames.ownNames(hostName: "director1.example.net", hosts: hosts))
        for name in ["director1.example.net", "director1", "ftp-gateway"] { #expect(names.contains(name)) }
        for name in ["old-name", "elsewhere.example.net", "commented"] { #expect(!names.contains(name)) }
        #expect(HostNames.ownNames(hostName: "", hosts: hosts) == [])
    }
}
