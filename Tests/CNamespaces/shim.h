/* What the tests need of <sched.h> and Swift's C library module leaves out, since it is not of POSIX. */
#ifndef FWMARKD_CNAMESPACES_SHIM_H
#define FWMARKD_CNAMESPACES_SHIM_H

#include <linux/sched.h>

extern int unshare(int flags);
extern int setns(int descriptor, int type);

static const int fwmarkd_clone_newnet = CLONE_NEWNET;

#endif
