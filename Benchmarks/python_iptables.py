# SPDX-License-Identifier: GPL-2.0-or-later
"""python_iptables.py COUNT: the three rules of COUNT services with python-iptables, table by table in one commit each."""

import sys

import iptc


def dotted(bits):
    return ".".join(str(bits >> shift & 255) for shift in (24, 16, 8, 0))


count = int(sys.argv[1])

nat = iptc.Table(iptc.Table.NAT)
nat.autocommit = False
chain = iptc.Chain(nat, "POSTROUTING")
for index in range(count):
    rule = iptc.Rule()
    rule.protocol = "tcp"
    rule.src = dotted(0xC0000000 + (index << 8)) + "/24"
    rule.create_match("tcp").sport = "20"
    rule.create_target("MASQUERADE")
    chain.append_rule(rule)
nat.commit()

mangle = iptc.Table(iptc.Table.MANGLE)
mangle.autocommit = False
chain = iptc.Chain(mangle, "PREROUTING")
for index in range(count):
    for ports in ("21", "10000:20000"):
        rule = iptc.Rule()
        rule.protocol = "tcp"
        rule.dst = dotted(0x0A000001 + index)
        rule.create_match("tcp").dport = ports
        rule.create_target("MARK").set_mark = hex(index + 1)
        chain.append_rule(rule)
mangle.commit()
