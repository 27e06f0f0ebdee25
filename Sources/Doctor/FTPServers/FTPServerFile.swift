// SPDX-License-Identifier: GPL-2.0-or-later
package import Rules

/// What an FTP server's configuration says about the connections that a director has to know of.
package struct FTPServerFile: Sendable, Hashable {
    /// The programs whose files can be read.
    package enum Program: String, Sendable, Hashable, CaseIterable { case vsftpd, proftpd, pureFTPd = "pure-ftpd" }

    /// The address that the server announces for passive connections.
    package enum PassiveAddress: Sendable, Hashable {
        /// The address that the server itself was called by.
        case own
        /// This address.
        case address(Address)
        /// The address of this name, looked up by the server.
        case name(String)
        /// A value that is no address.
        case invalid(String)
    }

    /// The file's path.
    package var path: String
    /// The program that the file is for.
    package var program: Program
    /// The port of control connections.
    package var controlPort: UInt16 = 21
    /// Whether it takes passive connections.
    package var isPassive = true
    /// The ports of passive connections; nil: any.
    package var passivePorts: PortRange?
    /// The address that the server announces.
    package var passiveAddress = PassiveAddress.own
    /// Whether it opens active connections.
    package var isActive = true
    /// The port that active connections come from; nil: any.
    package var dataPort: UInt16?
    /// Whether one IPv6 socket also takes IPv4 clients, which vsftpd then tells the address 0.0.0.0.
    package var announcesZero = false
    /// What the program refuses to start with: sentences.
    package var refusals: [String] = []

    init(_ path: String, _ program: Program) {
        (self.path, self.program) = (path, program)
    }

    /// Reads the file of one of the programs, known by its syntax.
    ///
    /// - Returns: nil if it is a file of none of them.
    package init?(path: String, text: String) {
        let lines = text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: true)
            .map { String(decoding: $0, as: UTF8.self) }
        if let file = FTPServerFile(vsftpd: path, lines) ?? FTPServerFile(proftpd: path, lines)
            ?? FTPServerFile(pureFTPd: path, lines)
        {
            self = file
        } else {
            return nil
        }
    }

    /// What to write for these passive ports.
    func advice(passivePorts ports: PortRange) -> [String] {
        switch program {
        case .vsftpd: ["write into \(path): pasv_min_port=\(ports.lower)", "write into \(path): pasv_max_port=\(ports.upper)"]
        case .proftpd: ["write into \(path): PassivePorts \(ports.lower) \(ports.upper)"]
        case .pureFTPd: ["write into \(path): PassivePortRange \(ports.lower) \(ports.upper)"]
        }
    }

    /// What to write for this passive address.
    func advice(passiveAddress address: Address) -> String {
        switch program {
        case .vsftpd: "write into \(path): pasv_address=\(address)"
        case .proftpd: "write into \(path): MasqueradeAddress \(address)"
        case .pureFTPd: "write into \(path): ForcePassiveIP \(address)"
        }
    }

    /// What the setting of the passive address is called.
    var passiveAddressName: String {
        switch program {
        case .vsftpd: "pasv_address"
        case .proftpd: "MasqueradeAddress"
        case .pureFTPd: "ForcePassiveIP"
        }
    }
}
