// SPDX-License-Identifier: GPL-2.0-or-later
/* A tunnel device of Linux, whose packets a program writes and reads: <linux/if_tun.h>. */
#ifndef FWMARKD_CNAMESPACES_TUN_H
#define FWMARKD_CNAMESPACES_TUN_H

#include <linux/if_tun.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>

/* Makes the descriptor of /dev/net/tun a device of this name for bare IP packets, one a write or read. 0, or -1 and errno. */
static inline int fwmarkd_tun_attach(int descriptor, const char *name)
{
    struct ifreq request;
    memset(&request, 0, sizeof request);
    strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    return ioctl(descriptor, TUNSETIFF, &request);
}

/* The same for Ethernet frames. */
static inline int fwmarkd_tap_attach(int descriptor, const char *name)
{
    struct ifreq request;
    memset(&request, 0, sizeof request);
    strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    request.ifr_flags = IFF_TAP | IFF_NO_PI;
    return ioctl(descriptor, TUNSETIFF, &request);
}

#endif
