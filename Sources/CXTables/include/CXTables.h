// SPDX-License-Identifier: GPL-2.0-or-later
/* Matches and targets in the words of their own plugins: libxtables' printers, asked in a process of their own.
 *
 * A plugin prints on standard output, keeps its state in the process, and ends that process when it does not like something:
 * libxtables itself calls exit() for a plugin of another version. So they run in a child; what ends the child costs one
 * answer and not the program that asked.
 */
#ifndef FWMARKD_CXTABLES_H
#define FWMARKD_CXTABLES_H

#include <stddef.h>
#include <stdint.h>

/* What came of asking the plugin. */
enum fwmarkd_xt_outcome {
    /* The text is what iptables would print. */
    FWMARKD_XT_PRINTED = 0,
    /* No plugin of that name can be loaded. */
    FWMARKD_XT_NO_PLUGIN = 1,
    /* The plugin knows data of another size. */
    FWMARKD_XT_OTHER_SIZE = 2,
    /* The plugin has no printer for this revision. */
    FWMARKD_XT_NO_PRINTER = 3,
    /* The plugin gave up or crashed. */
    FWMARKD_XT_GAVE_UP = 4,
};

/* A match or a target within an entry. */
struct fwmarkd_xt_part {
    /* The struct ipt_entry or ip6t_entry, at a multiple of 8. */
    const void *entry;
    /* Where in it the header of the match or target begins. */
    size_t offset;
    /* Whether it is a target. */
    uint8_t is_target;
};

/* What came of it. The texts end with NUL, or are NULL where there is nothing or no memory; the caller frees them. */
struct fwmarkd_xt_answer {
    uint32_t outcome;
    /* " -m NAME …" or " -j NAME …", as iptables prints it. */
    char *text;
    /* What plugin and library wrote on standard error. */
    char *complaint;
};

/* Asks for all parts, which are of IPv4 entries or of IPv6 ones (libxtables does not find its way back from one family to the
 * other), and fills as many answers. The plugins are taken from the directories (with colons between them), or from where
 * XTABLES_LIBDIR says if that is NULL. Returns 0, or the errno of the pipe or fork that failed. */
int fwmarkd_xt_print(
    int is_ipv6, const char *directories, const struct fwmarkd_xt_part *parts, size_t count, struct fwmarkd_xt_answer *answers);

/* The protocol's name as iptables shows it after -p; NULL for one without a name. Valid until the next call. */
const char *fwmarkd_xt_protocol_name(uint16_t number);

#endif
