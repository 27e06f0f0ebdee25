/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How glibc's malloc gets memory from the kernel: mallopt(3) and madvise(2), which Swift's C library module does not have. */
#ifndef FWMARKD_CMEMORY_H
#define FWMARKD_CMEMORY_H

/* In large steps, and never back. */
void cmemory_take_generously(void);
/* The same, and for the calling thread some of it in pages of two megabytes. */
void cmemory_take_huge_pages(void);
/* For a thread that begins: the same where a thread before it has asked for it. */
void cmemory_begin_thread(void);
/* Gives the kernel back what is free: malloc_trim(3). */
void cmemory_give_back(void);

#endif
