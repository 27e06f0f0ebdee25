// SPDX-License-Identifier: GPL-2.0-or-later
/* A tunnel device of Linux, whose packets a program writes and reads: <linux/if_tun.h>. */
#ifndef FWMARKD_CNAMESPACES_TUN_H
#define FWMARKD_CNAMESPACES_TUN_H

#include <linux/if_tun.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>

/* Makes the descriptor of /dev/net/tun a device of this name: with IFF_TUN for bare IP packets, with IFF_TAP for Ethernet frames, one
   a write or read. 0, or -1 and errno. */
static inline int fwmarkd_tun_attach(int descriptor, const char *name, short kind)
{
    struct ifreq request;
    memset(&request, 0, sizeof request);
    strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    request.ifr_flags = kind | IFF_NO_PI;
    return ioctl(descriptor, TUNSETIFF, &request);
}

#endif
