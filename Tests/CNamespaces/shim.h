// SPDX-License-Identifier: GPL-2.0-or-later
/* What the tests need of Linux and Swift's C library module leaves out, since it is not of POSIX. */
#ifndef FWMARKD_CNAMESPACES_SHIM_H
#define FWMARKD_CNAMESPACES_SHIM_H

#include <linux/sched.h>
#include <sys/types.h>

extern int unshare(int flags);
extern int setns(int descriptor, int type);
/* <sys/pidfd.h> of glibc 2.36. */
extern int pidfd_open(pid_t process, unsigned int flags);

static const int fwmarkd_clone_newnet = CLONE_NEWNET;

#endif
