/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "cmemory.h"

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { STEP = 32 << 20, HUGE_PAGE = 2 << 20 };

void cmemory_take_generously(void) {
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_TOP_PAD, STEP);
    mallopt(M_TRIM_THRESHOLD, 16 * STEP);
    mallopt(M_MMAP_THRESHOLD, STEP);
}

void cmemory_take_huge_pages(void) {
    cmemory_take_generously();
    /* Too large for what the heap has, and too small for a mapping of its own: the heap grows, by it and a step more. */
    void *piece = malloc(STEP - 1);
    uintptr_t first = ((uintptr_t)piece + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE, end = (uintptr_t)sbrk(0);
    if (piece && first < end) madvise((void *)first, end - first, MADV_HUGEPAGE);
    free(piece);
}
