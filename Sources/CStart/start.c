// SPDX-License-Identifier: GPL-2.0-or-later
#include <signal.h>

// A SIGHUP before the daemon can hear it would end it. The file is read after the daemon has begun to hear, so that nothing is
// lost with one that is ignored before.
__attribute__((constructor)) static void ignore_early_hangups(void) { signal(SIGHUP, SIG_IGN); }
