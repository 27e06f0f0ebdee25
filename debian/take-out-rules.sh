# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# has_chains PREFIX: whether a legacy table has chains whose names begin so.
has_chains() { { iptables-legacy-save && ip6tables-legacy-save; } 2>/dev/null | grep -q "^:$1"; }

# take_out_rules PREFIX: removes these chains and the jumps into them (0.1.0's have a comment), in one commit a table; a chain
# that another program's rule enters by a match is emptied and kept. It uses the system's own iptables: the programs of this
# package may be gone already. Fails where it cannot.
take_out_rules() {
    for family in ip ip6; do
        [ -e "/proc/net/${family}_tables_names" ] || continue
        while read -r table; do
            "${family}tables-legacy-save" -t "$table" | awk -v prefix="$1" '
                BEGIN { own = "^" prefix }
                /^\*/ { print }
                /^:/ { name = substr($1, 2); if (name ~ own) chains[name] }
                /^-A / && $2 !~ own {
                    rule = substr($0, 4)
                    sub(/ -m comment --comment fwmarkd /, " ")
                    if ($3 == "-j" && $4 ~ own && NF == 4) print "-D " rule
                    else for (i = 3; i < NF; i++) if ($i ~ /^-[jg]$/ && $(i + 1) ~ own) kept[$(i + 1)]
                }
                END {
                    for (name in chains) print "-F " name
                    for (name in chains) if (!(name in kept)) print "-X " name
                    print "COMMIT"
                }' | "${family}tables-legacy-restore" --noflush --wait 10 || return 1
        done <"/proc/net/${family}_tables_names"
    done
}
