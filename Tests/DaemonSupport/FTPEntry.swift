// SPDX-License-Identifier: GPL-2.0-or-later
/// A configuration of one FTP service with a translation.
package let ftpEntry = """
    ftp:
      - name: ftp
        mark: 21
        addresses: [203.0.113.10]
        passive-ports: 10000-20000
        active: {real-servers: [10.11.12.0/24]}

    """
