// SPDX-License-Identifier: GPL-2.0-or-later
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

// A SIGHUP before the daemon can hear it would end it. The file is read after the daemon has begun to hear, so that nothing is
// lost with one that is ignored before.
__attribute__((constructor)) static void ignore_early_hangups(void) { signal(SIGHUP, SIG_IGN); }

// What libdispatch and the Swift runtime cannot do without, and trap on: said in a sentence before they begin.
__attribute__((constructor)) static void refuse_impossible_surroundings(void) {
    if (access("/proc/self/stat", F_OK) != 0) {
        dprintf(STDERR_FILENO, "fwmarkd: /proc is not mounted; options, threads and the list of tables are read from there\n");
        _exit(EXIT_FAILURE);
    }
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
    if (files.rlim_max < 32) {
        dprintf(STDERR_FILENO, "fwmarkd: at most %lu files may be open, which is too few: raise LimitNOFILE= or `ulimit -n`\n",
                (unsigned long)files.rlim_max);
        _exit(EXIT_FAILURE);
    }
    if (files.rlim_cur < 32) {
        files.rlim_cur = 32;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}
