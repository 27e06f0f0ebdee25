// SPDX-License-Identifier: GPL-2.0-or-later
/* What Swift sees of the kernel's netlink headers: structures and constants. */
#ifndef FWMARKD_CNETLINK_SHIM_H
#define FWMARKD_CNETLINK_SHIM_H

#include <netinet/in.h>
#include <sys/socket.h>

#include <linux/audit.h>
#include <linux/fib_rules.h>
#include <linux/genetlink.h>
#include <linux/if_addr.h>
#include <linux/ip_vs.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#endif
