// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE
#include "CXTables.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xtables.h>

/* How long a child may take before the kernel ends it: a plugin that hangs must not hang us. */
static const unsigned int seconds_to_live = 20;
/* No plugin has more to say; a longer answer is not believed. */
static const uint32_t longest_text = 1 << 20;

/* What the child sends for each part; the texts follow. */
struct frame {
    uint32_t outcome;
    uint32_t text;
    uint32_t complaint;
};

/* MARK: - The child */

/* Set once in the child; the parent never touches them. */
static int answer_pipe = -1;
static char *text_buffer, *complaint_buffer;
static size_t text_size, complaint_size;

static bool write_all(int descriptor, const void *data, size_t size) {
    const char *next = data;
    while (size > 0) {
        ssize_t count = write(descriptor, next, size);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return false;
        next += count;
        size -= (size_t)count;
    }
    return true;
}

/* Standard output and error become memory. */
static void open_streams(void) {
    stdout = open_memstream(&text_buffer, &text_size);
    stderr = open_memstream(&complaint_buffer, &complaint_size);
    if (stdout == NULL || stderr == NULL) _exit(1);
}

/* Sends what was written to the two streams. */
static void answer(uint32_t outcome) {
    fclose(stdout);
    fclose(stderr);
    struct frame frame = {outcome, (uint32_t)text_size, (uint32_t)complaint_size};
    if (!write_all(answer_pipe, &frame, sizeof frame) || !write_all(answer_pipe, text_buffer, frame.text)
        || !write_all(answer_pipe, complaint_buffer, frame.complaint))
        _exit(1);
    free(text_buffer);
    free(complaint_buffer);
}

/* libxtables' way out for plugins: it must not return. */
__attribute__((noreturn, format(printf, 2, 3))) static void give_up(enum xtables_exittype status, const char *message, ...) {
    (void)status;
    va_list arguments;
    va_start(arguments, message);
    vfprintf(stderr, message, arguments);
    va_end(arguments);
    answer(FWMARKD_XT_GAVE_UP);
    _exit(0);
}

/* Every revision is taken: what the kernel has accepted is to be shown, whatever the kernel says it knows now. */
static int accept_revision(const char *name, uint8_t revision, int option) {
    (void)name;
    (void)revision;
    (void)option;
    return 1;
}

/* The following two do what print_match_save and print_rule4 of iptables 1.8 do, except that they end no process. */
static uint32_t print_match(const void *entry, const struct xt_entry_match *match) {
    const char *name = match->u.user.name;
    struct xtables_match *newest = xtables_find_match(name, XTF_TRY_LOAD, NULL);
    if (newest == NULL) return FWMARKD_XT_NO_PLUGIN;
    struct xtables_match *plugin = xtables_find_match_revision(name, XTF_TRY_LOAD, newest, match->u.user.revision);
    if (plugin == NULL || (plugin->save == NULL && plugin->size > 0)) return FWMARKD_XT_NO_PRINTER;
    if (match->u.match_size != XT_ALIGN(sizeof *match) + XT_ALIGN(plugin->size)) return FWMARKD_XT_OTHER_SIZE;
    printf(" -m %s", plugin->alias ? plugin->alias(match) : name);
    if (plugin->save) plugin->save(entry, match);
    return FWMARKD_XT_PRINTED;
}

static uint32_t print_target(const void *entry, const struct xt_entry_target *target) {
    const char *name = target->u.user.name;
    struct xtables_target *newest = xtables_find_target(name, XTF_TRY_LOAD);
    if (newest == NULL) return FWMARKD_XT_NO_PLUGIN;
    struct xtables_target *plugin = xtables_find_target_revision(name, XTF_TRY_LOAD, newest, target->u.user.revision);
    if (plugin == NULL || (plugin->save == NULL && plugin->size > 0)) return FWMARKD_XT_NO_PRINTER;
    if (target->u.target_size != XT_ALIGN(sizeof *target) + XT_ALIGN(plugin->size)) return FWMARKD_XT_OTHER_SIZE;
    printf(" -j %s", plugin->alias ? plugin->alias(target) : name);
    if (plugin->save) plugin->save(entry, target);
    return FWMARKD_XT_PRINTED;
}

__attribute__((noreturn)) static void answer_all(
    uint8_t family, const char *directories, const struct fwmarkd_xt_part *parts, size_t count) {
    static struct xtables_globals globals = {
        .program_name = "fwmarkctl", .program_version = "0", .exit_err = give_up, .compat_rev = accept_revision};
    /* A crash is the answer of a broken plugin: no handler of the parent's, and no core, is to make more of it. */
    const int ends[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGALRM, SIGPIPE};
    for (size_t index = 0; index < sizeof ends / sizeof *ends; index++) signal(ends[index], SIG_DFL);
    /* The parent's threads may block signals, and SIGALRM must come. */
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    alarm(seconds_to_live);
    if (directories != NULL) setenv("XTABLES_LIBDIR", directories, 1);
    if (xtables_init_all(&globals, family) != 0) _exit(1);
    for (size_t index = 0; index < count; index++) {
        open_streams();
        const void *part = (const char *)parts[index].entry + parts[index].offset;
        answer(parts[index].is_target ? print_target(parts[index].entry, part) : print_match(parts[index].entry, part));
    }
    _exit(0);
}

/* MARK: - The parent */

const char *fwmarkd_xt_protocol_name(uint16_t number) {
    /* libxtables' own list first: /etc/protocols need not be installed. */
    for (size_t index = 0; xtables_chain_protos[index].name != NULL; index++)
        if (xtables_chain_protos[index].num == number) return xtables_chain_protos[index].name;
    const struct protoent *entry = getprotobynumber(number);
    return entry ? entry->p_name : NULL;
}

static bool read_all(int descriptor, void *data, size_t size) {
    char *next = data;
    while (size > 0) {
        ssize_t count = read(descriptor, next, size);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return false;
        next += count;
        size -= (size_t)count;
    }
    return true;
}

/* A text of that length, with a NUL after it; NULL for an empty one. */
static bool read_text(int descriptor, uint32_t size, char **text) {
    *text = NULL;
    if (size == 0) return true;
    if (size > longest_text) return false;
    char *bytes = malloc((size_t)size + 1);
    if (bytes == NULL) return false;
    if (!read_all(descriptor, bytes, size)) {
        free(bytes);
        return false;
    }
    bytes[size] = '\0';
    *text = bytes;
    return true;
}

static bool read_answer(int descriptor, struct fwmarkd_xt_answer *answer) {
    struct frame frame;
    if (!read_all(descriptor, &frame, sizeof frame) || frame.outcome > FWMARKD_XT_GAVE_UP) return false;
    answer->outcome = frame.outcome;
    return read_text(descriptor, frame.text, &answer->text) && read_text(descriptor, frame.complaint, &answer->complaint);
}

int fwmarkd_xt_print(
    int is_ipv6, const char *directories, const struct fwmarkd_xt_part *parts, size_t count, struct fwmarkd_xt_answer *answers) {
    memset(answers, 0, count * sizeof *answers);
    size_t done = 0;
    while (done < count) {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) != 0) return errno;
        /* What we have not yet written must not be written by the child as well. */
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) {
            answer_pipe = ends[1];
            answer_all(is_ipv6 ? NFPROTO_IPV6 : NFPROTO_IPV4, directories, parts + done, count - done);
        }
        int number = errno;
        close(ends[1]);
        if (child < 0) {
            close(ends[0]);
            return number;
        }
        bool gave_up = false;
        while (done < count && !gave_up) {
            /* A child that gave up is gone; so is one that sends no more, and what it was asked last is what ended it. The
             * next child answers the rest. */
            if (!read_answer(ends[0], &answers[done])) answers[done].outcome = FWMARKD_XT_GAVE_UP;
            gave_up = answers[done].outcome == FWMARKD_XT_GAVE_UP;
            done++;
        }
        close(ends[0]);
        while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {
        }
    }
    return 0;
}
