/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "cmemory.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { STEP = 64 << 20, THRESHOLD = 32 << 20, PIECE = 24 << 20, HUGE_PAGE = 2 << 20 };

void cmemory_take_generously(void) {
    mallopt(M_TOP_PAD, STEP);
    mallopt(M_TRIM_THRESHOLD, 16 * STEP);
    mallopt(M_MMAP_THRESHOLD, THRESHOLD);
}

static atomic_bool wants_huge_pages;

static void take_piece(void) {
    /* Too small for a mapping of its own: once it is free, the thread's next allocations come from it. */
    void *piece = malloc(PIECE);
    uintptr_t first = ((uintptr_t)piece + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE, end = (uintptr_t)piece + PIECE;
    if (piece) madvise((void *)first, (end - first) / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
    free(piece);
}

void cmemory_take_huge_pages(void) {
    cmemory_take_generously();
    wants_huge_pages = true;
    take_piece();
}

void cmemory_begin_thread(void) {
    if (wants_huge_pages) take_piece();
}

void cmemory_give_back(void) { malloc_trim(0); }
