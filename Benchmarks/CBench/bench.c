// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE
#include "bench.h"

#include <arpa/inet.h>
#include <net/if.h>
/* <linux/if.h> defines what <net/if.h> does; the headers below want IFNAMSIZ alone of it. */
#define _LINUX_IF_H
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

int bench_new_namespace(void) { return unshare(CLONE_NEWNET); }

int bench_enter_namespace(const char *path) {
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return -1;
    int result = setns(descriptor, CLONE_NEWNET);
    close(descriptor);
    return result;
}

/* Tables */

static int get_info(int socket, const char *table, struct ipt_getinfo *info) {
    memset(info, 0, sizeof *info);
    strncpy(info->name, table, sizeof info->name - 1);
    socklen_t length = sizeof *info;
    return getsockopt(socket, IPPROTO_IP, IPT_SO_GET_INFO, info, &length);
}

/* Entries in memory that stays for the next time; the caller does not free it. */
static struct ipt_get_entries *get_entries(int socket, const char *table, struct ipt_getinfo *info) {
    static struct ipt_get_entries *entries;
    static size_t room;
    if (get_info(socket, table, info) < 0) return NULL;
    socklen_t length = sizeof *entries + info->size;
    if (length > room) {
        free(entries);
        entries = calloc(1, length);
        room = length;
        if (!entries) return NULL;
    }
    memset(entries, 0, sizeof *entries);
    strncpy(entries->name, table, sizeof entries->name - 1);
    entries->size = info->size;
    return getsockopt(socket, IPPROTO_IP, IPT_SO_GET_ENTRIES, entries, &length) < 0 ? NULL : entries;
}

static int raw_socket(void) { return socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW); }

int64_t bench_entries(const char *table) {
    struct ipt_getinfo info;
    int descriptor = raw_socket();
    if (descriptor < 0) return -1;
    int result = get_info(descriptor, table, &info);
    close(descriptor);
    return result < 0 ? -1 : (int64_t)info.num_entries;
}

int64_t bench_read_table(const char *table) {
    struct ipt_getinfo info;
    int descriptor = raw_socket();
    if (descriptor < 0) return -1;
    int64_t start = now();
    const struct ipt_get_entries *entries = get_entries(descriptor, table, &info);
    int64_t time = now() - start;
    close(descriptor);
    return entries ? time : -1;
}

/* Replaces a table by these entries; what it takes in nanoseconds. */
static int64_t replace_by(int socket, const char *table, const struct ipt_getinfo *info, const struct ipt_get_entries *entries) {
    int64_t time = -1;
    struct ipt_replace *replace = calloc(1, sizeof *replace + info->size);
    struct xt_counters *counters = calloc(info->num_entries, sizeof *counters);
    if (replace && counters) {
        strncpy(replace->name, table, sizeof replace->name - 1);
        replace->valid_hooks = info->valid_hooks;
        replace->num_entries = info->num_entries;
        replace->size = info->size;
        memcpy(replace->hook_entry, info->hook_entry, sizeof info->hook_entry);
        memcpy(replace->underflow, info->underflow, sizeof info->underflow);
        replace->num_counters = info->num_entries;
        replace->counters = counters;
        memcpy(replace->entries, entries->entrytable, info->size);
        int64_t start = now();
        if (setsockopt(socket, IPPROTO_IP, IPT_SO_SET_REPLACE, replace, sizeof *replace + info->size) == 0) time = now() - start;
    }
    free(replace);
    free(counters);
    return time;
}

int64_t bench_replace_table(const char *table) {
    struct ipt_getinfo info;
    int descriptor = raw_socket();
    if (descriptor < 0) return -1;
    const struct ipt_get_entries *entries = get_entries(descriptor, table, &info);
    int64_t time = entries ? replace_by(descriptor, table, &info, entries) : -1;
    close(descriptor);
    return time;
}

int64_t bench_alter_mark(void) {
    struct ipt_getinfo info;
    int descriptor = raw_socket();
    if (descriptor < 0) return -1;
    struct ipt_get_entries *entries = get_entries(descriptor, "mangle", &info);
    int64_t place = -1;
    for (unsigned offset = 0; entries && offset < info.size;) {
        const struct ipt_entry *entry = (const void *)((const char *)entries->entrytable + offset);
        const struct xt_entry_target *target = (const void *)((const char *)entry + entry->target_offset);
        if (strcmp(target->u.user.name, "MARK") == 0) {
            place = offset + entry->target_offset + (int64_t)sizeof *target;
            break;
        }
        offset += entry->next_offset;
    }
    if (place >= 0) {
        ((char *)entries->entrytable)[place + 3] ^= 0x40;
        if (replace_by(descriptor, "mangle", &info, entries) < 0) place = -1;
    }
    close(descriptor);
    return place;
}

int64_t bench_mark(int64_t place) {
    struct ipt_getinfo info;
    uint32_t mark;
    int descriptor = raw_socket();
    if (descriptor < 0) return -1;
    const struct ipt_get_entries *entries = get_entries(descriptor, "mangle", &info);
    close(descriptor);
    if (!entries || place < 0 || place + (int64_t)sizeof mark > info.size) return -1;
    memcpy(&mark, (const char *)entries->entrytable + place, sizeof mark);
    return mark;
}

/* Frames */

int bench_sender(const char *interface) {
    int sender = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP) };
    struct ifreq request = { 0 };
    if (sender < 0) return -1;
    strncpy(request.ifr_name, interface, sizeof request.ifr_name - 1);
    if (ioctl(sender, SIOCGIFINDEX, &request) < 0) goto failed;
    address.sll_ifindex = request.ifr_ifindex;
    if (bind(sender, (struct sockaddr *)&address, sizeof address) < 0) goto failed;
    return sender;
failed:
    close(sender);
    return -1;
}

static uint16_t checksum(const uint8_t *bytes, size_t length) {
    uint32_t sum = 0;
    for (size_t i = 0; i < length; i += 2) sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    return htons((uint16_t)~sum);
}

/* Ip: InReceives, the third word of the second line that begins with "Ip:". */
static int64_t received(void) {
    char text[4096];
    int descriptor = open("/proc/thread-self/net/snmp", O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return -1;
    ssize_t length = read(descriptor, text, sizeof text - 1);
    close(descriptor);
    if (length <= 0) return -1;
    text[length] = 0;
    char *line = strstr(text, "\nIp:");
    long long forwarding, ttl, count;
    return line && sscanf(line, "\nIp: %lld %lld %lld", &forwarding, &ttl, &count) == 3 ? count : -1;
}

enum { BATCH = 64, FRAME = 60, FRAMES = 16384 };

static void fill(const uint8_t mac[6], uint32_t first, uint32_t addresses, uint16_t port);
static int64_t send_all(int sender, int64_t count);

static uint8_t frames[FRAMES][FRAME];
static struct iovec vectors[FRAMES];
static struct mmsghdr messages[FRAMES];

int64_t bench_send(int sender, const uint8_t mac[6], uint32_t first, uint32_t addresses, uint16_t port, int64_t count) {
    cpu_set_t all, one;
    fill(mac, first, addresses, port);
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    if (sched_getaffinity(0, sizeof all, &all) < 0 || sched_setaffinity(0, sizeof one, &one) < 0) return -1;
    int64_t time = send_all(sender, count);
    int reason = errno;
    sched_setaffinity(0, sizeof all, &all);
    errno = reason;
    return time;
}

static void fill(const uint8_t mac[6], uint32_t first, uint32_t addresses, uint16_t port) {
    uint64_t random = UINT64_C(0x9e3779b97f4a7c15);
    for (int i = 0; i < FRAMES; i++) {
        uint8_t *frame = frames[i], *ip = frame + 14, *tcp = ip + 20;
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        uint32_t destination = htonl(first + (uint32_t)((random >> 32) * addresses >> 32));
        uint32_t source = htonl(0xc6120002);  /* 198.18.0.2 */
        memset(frame, 0, FRAME);
        memcpy(frame, mac, 6);
        frame[6] = 2;
        frame[12] = 8;
        ip[0] = 0x45;
        ip[3] = 40;
        ip[8] = 64;
        ip[9] = IPPROTO_TCP;
        memcpy(ip + 12, &source, 4);
        memcpy(ip + 16, &destination, 4);
        uint16_t sum = checksum(ip, 20);
        memcpy(ip + 10, &sum, 2);
        tcp[0] = 0x9c;
        tcp[2] = (uint8_t)(port >> 8);
        tcp[3] = (uint8_t)port;
        tcp[12] = 0x50;
        tcp[13] = 2;
        vectors[i] = (struct iovec){ .iov_base = frame, .iov_len = FRAME };
        messages[i].msg_hdr = (struct msghdr){ .msg_iov = &vectors[i], .msg_iovlen = 1 };
    }
}

static int64_t send_all(int sender, int64_t count) {
    int64_t before = received();
    if (before < 0) return -1;
    int64_t start = now();
    for (int64_t sent = 0; sent < count;) {
        int batch = count - sent < BATCH ? (int)(count - sent) : BATCH;
        int done = sendmmsg(sender, &messages[sent % (FRAMES - BATCH)], (unsigned)batch, 0);
        if (done < 0) {
            if (errno == ENOBUFS || errno == EAGAIN) continue;
            return -1;
        }
        sent += done;
    }
    int64_t time = now() - start;
    /* What is left in the queue is short; frames that were dropped never come. */
    for (int64_t patience = now() + INT64_C(2000000000); now() < patience;) {
        if (received() - before >= count) return time;
        time = now() - start;
    }
    errno = EIO;
    return -1;
}
