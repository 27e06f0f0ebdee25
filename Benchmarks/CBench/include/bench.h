// SPDX-License-Identifier: GPL-2.0-or-later
/* What the benchmarks ask of the kernel and Swift's C library module has no words for. Every function returns -1 with errno. */
#ifndef FWMARKD_BENCH_H
#define FWMARKD_BENCH_H

#include <stdint.h>

/* A network namespace of the calling thread's own; programs that it starts are in it. */
int bench_new_namespace(void);
/* Into the network namespace of a path such as /proc/PID/ns/net. */
int bench_enter_namespace(const char *path);

/* Nanoseconds that one IPT_SO_GET_INFO and one IPT_SO_GET_ENTRIES of the IPv4 table take, into memory used before. */
int64_t bench_read_table(const char *table);
/* Nanoseconds that one IPT_SO_SET_REPLACE of the IPv4 table by itself takes; reading it is not counted. */
int64_t bench_replace_table(const char *table);
/* The number of entries in the IPv4 table. */
int64_t bench_entries(const char *table);

/* Alters the first MARK of the IPv4 table mangle without the lock, the table's size unchanged. Returns where its value is, for
 * bench_mark. */
int64_t bench_alter_mark(void);
/* The value at the place. */
int64_t bench_mark(int64_t place);

/* A socket that sends raw frames out of the interface, in the calling thread's namespace, and that stays there. */
int bench_sender(const char *interface);
/* Sends TCP SYN frames to random ones of `addresses` addresses from `first` (host order) on, and waits until the namespace of the
 * calling thread has received them all (InReceives of /proc/thread-self/net/snmp), all on one processor. Returns the nanoseconds
 * from first to last. */
int64_t bench_send(int sender, const uint8_t mac[6], uint32_t first, uint32_t addresses, uint16_t port, int64_t frames);

#endif
