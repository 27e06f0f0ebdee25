// SPDX-License-Identifier: GPL-2.0-or-later
/* What Swift sees of libiptc and of the kernel's x_tables headers.
 *
 * Structures and constants come from the headers themselves. Only what Swift's importer cannot take is below: macros
 * with arguments, and members with a zero-length array after them.
 */
#ifndef FWMARKD_CNETFILTER_SHIM_H
#define FWMARKD_CNETFILTER_SHIM_H

#include <stddef.h>
#include <stdint.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

/* The C library's <net/if.h> and the kernel's <linux/if.h> define the same things, and the former is part of the Swift
 * module of the C library. The headers below want IFNAMSIZ alone, which the former has: keep the latter out. */
#define _LINUX_IF_H

#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_CT.h>
#include <linux/netfilter/xt_addrtype.h>
#include <linux/netfilter/xt_comment.h>
#include <linux/netfilter/xt_connmark.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_iprange.h>
#include <linux/netfilter/xt_mac.h>
#include <linux/netfilter/xt_mark.h>
#include <linux/netfilter/xt_multiport.h>
#include <linux/netfilter/xt_sctp.h>
#include <linux/netfilter/xt_state.h>
#include <linux/netfilter/xt_tcpudp.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include <linux/sched.h>

#include <libiptc/libip6tc.h>
#include <libiptc/libiptc.h>

/* The size that the kernel gives a match's or a target's data: XT_ALIGN. */
static inline size_t fwmarkd_xt_align(size_t size) { return XT_ALIGN(size); }

/* Where the entries begin in the answer to IPT_SO_GET_ENTRIES and IP6T_SO_GET_ENTRIES. */
static inline size_t fwmarkd_ipt_entries_offset(void) { return offsetof(struct ipt_get_entries, entrytable); }
static inline size_t fwmarkd_ip6t_entries_offset(void) { return offsetof(struct ip6t_get_entries, entrytable); }

/* struct xt_ct_target_info_v1, which ends with a pointer that only the kernel uses. */
static inline size_t fwmarkd_ct_size(void) { return sizeof(struct xt_ct_target_info_v1); }
static inline size_t fwmarkd_ct_helper_offset(void) { return offsetof(struct xt_ct_target_info_v1, helper); }
static inline size_t fwmarkd_ct_timeout_offset(void) { return offsetof(struct xt_ct_target_info_v1, timeout); }
static inline size_t fwmarkd_ct_pointer_offset(void) { return offsetof(struct xt_ct_target_info_v1, ct); }

/* unshare(2), which <sched.h> declares for _GNU_SOURCE alone, and its flag for a network namespace of one's own. */
extern int unshare(int flags);
static const int fwmarkd_clone_newnet = CLONE_NEWNET;

/* Socket options, whose macros are sums that Swift does not evaluate. */
static const int fwmarkd_ipt_so_get_info = IPT_SO_GET_INFO;
static const int fwmarkd_ipt_so_get_entries = IPT_SO_GET_ENTRIES;
static const int fwmarkd_ipt_so_get_revision_match = IPT_SO_GET_REVISION_MATCH;
static const int fwmarkd_ipt_so_get_revision_target = IPT_SO_GET_REVISION_TARGET;
static const int fwmarkd_ip6t_so_get_info = IP6T_SO_GET_INFO;
static const int fwmarkd_ip6t_so_get_entries = IP6T_SO_GET_ENTRIES;
static const int fwmarkd_ip6t_so_get_revision_match = IP6T_SO_GET_REVISION_MATCH;
static const int fwmarkd_ip6t_so_get_revision_target = IP6T_SO_GET_REVISION_TARGET;

#endif
