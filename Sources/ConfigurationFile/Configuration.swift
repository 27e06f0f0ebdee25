// SPDX-License-Identifier: GPL-2.0-or-later
/// What a director needs, as the file says it. Positions in the file are beside it, in `LoadedConfiguration`.
package struct Configuration: Sendable, Hashable {
    /// How the daemon behaves.
    package var daemon: DaemonSettings
    /// FTP services, each of which expands into one of `allServices` and some of `allMasquerades`.
    package var ftp: [FTPService]
    /// Other services.
    package var services: [Service]
    /// Source translations, in the order in which the first match decides.
    package var masquerades: [Masquerade]

    /// A configuration of these parts.
    package init(
        daemon: DaemonSettings = DaemonSettings(), ftp: [FTPService] = [], services: [Service] = [], masquerades: [Masquerade] = []
    ) {
        (self.daemon, self.ftp, self.services, self.masquerades) = (daemon, ftp, services, masquerades)
    }

    /// Everything that marks: FTP services first.
    package var allServices: [Service] { ftp.map(\.service) + services }

    /// Everything that translates, in the order in which the first match decides: those of FTP services first.
    package var allMasquerades: [Masquerade] { ftp.compactMap(\.masquerade) + masquerades }
}
