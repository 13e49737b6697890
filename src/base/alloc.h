/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The accounting allocator: every heap allocation of Clast goes through here (a lint
 * forbids malloc elsewhere).
 *
 * It counts bytes so that tests find leaks and the engine can charge the plan to the
 * budget, and it can be told to fail the n-th allocation from now on. Thread-safe
 * (atomic counters). Sizes that overflow give NULL.
 */
#ifndef CL_BASE_ALLOC_H
#define CL_BASE_ALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *cl_alloc(size_t bytes); /* 16-byte aligned; 0 bytes gives a unique pointer */
void *cl_alloc_array(size_t count, size_t size); /* overflow-checked product */
void *cl_calloc(size_t count, size_t size);
void *cl_realloc_array(void *p, size_t count,
                       size_t size); /* p stays valid where NULL is returned */
/* The array will not grow any more, and is read in another order than it lies in: makes
 * huge pages of its small ones, where there are any to be had. The kernel copies the
 * array for that, within the call; its address stays. NULL is legal. */
void cl_alloc_settle(void *p);
char *cl_strdup(const char *text);
void cl_free(void *p); /* NULL is legal */

uint64_t cl_alloc_live(void); /* bytes now allocated */
uint64_t cl_alloc_peak(void); /* the most that were since the last forgetting */
void cl_alloc_forget_peak(void);
void cl_alloc_fail_after(int64_t n); /* tests: the n-th allocation from now and all
                                        later ones fail; negative: none fails */
bool cl_alloc_has_failed(void);      /* tests: whether one was made to, since then */

/* A growing array: makes room for `need` elements, growing by half, to CL_GROW_LEAST at
 * least. false: no memory, *p unchanged. */
enum { CL_GROW_LEAST = 8 };
bool cl_grow_more(void *p_address, size_t *capacity, size_t need, size_t size);
static inline bool cl_grow(void *p_address, size_t *capacity, size_t need, size_t size)
{
    return need <= *capacity || cl_grow_more(p_address, capacity, need, size);
}
/* What so many of them take at most, in bytes, if so many elements in all were added
 * one by one: CL_GROW_LEAST each at first, and what grows is there twice meanwhile. */
static inline uint64_t cl_grow_most(uint64_t arrays, uint64_t elements, size_t size)
{
    return (arrays * CL_GROW_LEAST + elements * 5 / 2) * size;
}

/* An arena: many small allocations freed at once. Zeroed memory is an empty arena.
 * 16-byte aligned. */
typedef struct cl_arena {
    struct cl_arena_page *page;
    uint64_t bytes; /* held in all */
} cl_arena;
void *cl_arena_alloc(cl_arena *arena, size_t bytes); /* zeroed */
void *cl_arena_array(cl_arena *arena, size_t count, size_t size);
/* Takes over p, which cl_alloc() or one of its kind gave: it goes with the arena.
 * false: no memory, p is still the caller's. */
bool cl_arena_adopt(cl_arena *arena, void *p);
void cl_arena_fini(cl_arena *arena);

/* *product = a * b; false where it overflows. */
static inline bool cl_mul_size(size_t a, size_t b, size_t *product)
{
    return !__builtin_mul_overflow(a, b, product);
}

#endif
