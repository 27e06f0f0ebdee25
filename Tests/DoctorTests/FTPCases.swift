// SPDX-License-Identifier: GPL-2.0-or-later
import ConfigurationFile
import Netlink
import Rules

@testable import Doctor

let ftpCases: [Case] = [
    .problem(
        "ip-vs-ftp", "ip_vs_ftp beside pasv_address",
        "the module ip_vs_ftp is loaded, and /etc/vsftpd.conf has pasv_address 203.0.113.10, which is the virtual address."
    ) { $0.modules.insert("ip_vs_ftp") },
    .silent("ip-vs-ftp", "ip_vs_ftp alone") {
        $0.modules.insert("ip_vs_ftp")
        try $0.changeVsftpd("pasv_address", to: nil)
    },
    .silent("ip-vs-ftp", "ip_vs_ftp beside FTPS, which it cannot read") {
        $0.modules.insert("ip_vs_ftp")
        $0.configuration.ftp[0].controlPorts = [990]
        try $0.changeVsftpd("implicit_ssl", to: "YES")
    },

    .problem(
        "ftp-servers", "other passive ports",
        "/etc/vsftpd.conf has the passive ports 10000-30000, ftp has passive-ports 10000-20000."
    ) { try $0.changeVsftpd("pasv_max_port", to: "30000") },
    .silent("ftp-servers", "an octal number, as vsftpd reads it") { try $0.changeVsftpd("pasv_min_port", to: "023420") },
    .warning("ftp-servers", "fewer passive ports", "/etc/vsftpd.conf has the passive ports 10000-15000, ftp has 10000-20000.") {
        try $0.changeVsftpd("pasv_max_port", to: "15000")
    },
    .problem("ftp-servers", "no limits", "/etc/vsftpd.conf has no limits for passive ports, ftp has passive-ports 10000-20000.") {
        $0.ftpServers = [try serverFile("listen=YES\nconnect_from_port_20=YES\npasv_address=203.0.113.10")]
    },
    .silent("ftp-servers", "no limits before the widest range") {
        $0.ftpServers = [try serverFile("listen=YES\nconnect_from_port_20=YES\npasv_address=203.0.113.10\npasv_min_port=1024")]
        $0.configuration.ftp[0].passivePorts = PortRange(1024, 65535)
    },
    .problem(
        "ftp-servers", "another address", "/etc/vsftpd.conf has pasv_address 203.0.113.11, which is no address of ftp."
    ) { try $0.changeVsftpd("pasv_address", to: "203.0.113.11") },
    .problem("ftp-servers", "no address", "/etc/vsftpd.conf has no pasv_address.") { try $0.changeVsftpd("pasv_address", to: nil) },
    .silent("ftp-servers", "a name that the server looks up") {
        $0.ftpServers = [
            try serverFile(healthyVsftpd.replacing("203.0.113.10", with: "ftp.example.org") + "\npasv_addr_resolve=YES")
        ]
    },
    .problem("ftp-servers", "Debian's listen_ipv6", "/etc/vsftpd.conf has listen_ipv6=YES without listen=YES") {
        $0.ftpServers = [try serverFile(healthyVsftpd.replacing("listen=YES", with: "listen=NO\nlisten_ipv6=YES"))]
    },
    .problem("ftp-servers", "active data from any port", "/etc/vsftpd.conf does not have connect_from_port_20=YES.") {
        try $0.changeVsftpd("connect_from_port_20", to: "NO")
    },
    .problem(
        "ftp-servers", "active data from another port", "/etc/vsftpd.conf: active data come from port 2020, ftp has data-port 20."
    ) {
        try $0.changeVsftpd("ftp_data_port", to: "2020")
    },
    .silent("ftp-servers", "no active data at all") {
        $0.ftpServers = [try serverFile(healthyVsftpd.replacing("connect_from_port_20=YES", with: "port_enable=NO"))]
    },
    .silent("ftp-servers", "blanks before a name, a key twice, small letters in a value") {
        $0.ftpServers = [
            try serverFile(
                healthyVsftpd.replacing("pasv_min_port=10000", with: "pasv_min_port=5\n  \tpasv_min_port=10000\npasv_enable=yes"))
        ]
    },
    .problem("ftp-servers", "capital letters in a name", "/etc/vsftpd.conf: vsftpd does not know the setting \"PASV_Enable\".") {
        try $0.changeVsftpd("PASV_Enable", to: "YES")
    },
    .problem("ftp-servers", "a blank after a value", "/etc/vsftpd.conf: vsftpd takes no value \"YES \" for pasv_enable.") {
        try $0.changeVsftpd("pasv_enable", to: "YES ")
    },
    .warning("ftp-servers", "a port that no entry has", "/etc/vsftpd.conf is of a server on port 2121") {
        try $0.changeVsftpd("listen_port", to: "2121")
    },
    .silent("ftp-servers", "two entries on one VIP, each server judged by its own") {
        var second = $0.configuration.ftp[0]
        (second.name, second.controlPorts, second.passivePorts) = ("ftps", [990], PortRange(30000, 31000))
        second.mark = try Mark(22)
        second.active?.dataPorts = [989]
        $0.configuration.ftp.append(second)
        var service = healthyServices[0]
        service.subject = .mark(22)
        $0.ipvs = .services(healthyServices + [service])
        $0.ftpServers.append(
            try serverFile(
                """
                listen=YES
                implicit_ssl=YES
                listen_port=990
                pasv_min_port=30000
                pasv_max_port=31000
                pasv_address=203.0.113.10
                connect_from_port_20=YES
                ftp_data_port=989
                """, "/etc/vsftpd-tls.conf"))
    },
    .silent("ftp-servers", "ProFTPD as it should be") {
        $0.ftpServers = [
            try serverFile(
                "ServerName \"ftp\"\nPort 21\nPassivePorts 10000 20000\nMasqueradeAddress 203.0.113.10\n", "/etc/proftpd.conf")
        ]
    },
    .problem("ftp-servers", "ProFTPD with other ports", "/etc/proftpd.conf has the passive ports 60000-61000, ftp has") {
        $0.ftpServers = [
            try serverFile(
                "ServerName ftp\npassiveports 60000 61000 # a few\nMasqueradeAddress 203.0.113.10\n", "/etc/proftpd.conf")
        ]
    },
    .silent("ftp-servers", "Pure-FTPd as it should be") {
        $0.ftpServers = [
            try serverFile("ChrootEveryone yes\nPassivePortRange 10000 20000\nForcePassiveIP 203.0.113.10\n", "/etc/pure-ftpd.conf")
        ]
    },
    .problem("ftp-servers", "Pure-FTPd without an address", "/etc/pure-ftpd.conf has no ForcePassiveIP.") {
        $0.ftpServers = [try serverFile("ChrootEveryone yes\nPassivePortRange 10000 20000\n", "/etc/pure-ftpd.conf")]
    },
]
