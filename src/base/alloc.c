/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The accounting allocator.
 *
 * Each allocation carries its size in 16 bytes before the address that is handed out;
 * live bytes are one atomic sum of these sizes (payload only, so that tests can name
 * the numbers), of which the highest is kept. Fail-after is one atomic countdown: at 1
 * it stays and every further allocation fails, which lets a test walk through all
 * failure points of a call by counting up.
 *
 * An arena is a list of pages whose sizes double up to 1 MiB; an allocation that does
 * not fit into the newest page opens another one, a large one a page of its own. Pages
 * come zeroed and are never reused, so nothing needs clearing. Allocating is O(1) but
 * for new pages.
 */
#include "base/alloc.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ALIGNMENT ((size_t)16)

typedef union {
    size_t bytes;
    max_align_t align;
    char pad[ALIGNMENT];
} header;

_Static_assert(sizeof(header) % ALIGNMENT == 0, "payloads must stay aligned");

static _Atomic uint64_t live, peak;
static _Atomic int64_t countdown = -1;
static atomic_bool has_failed;

/* Whether this allocation has to fail; counts it where a countdown runs. */
static bool is_failing(void)
{
    int64_t left = atomic_load_explicit(&countdown, memory_order_relaxed);
    while (left > 1)
        if (atomic_compare_exchange_weak(&countdown, &left, left - 1))
            return false;
    if (left >= 0)
        atomic_store_explicit(&has_failed, true, memory_order_relaxed);
    return left >= 0;
}

static void *hand_out(header *h, size_t bytes)
{
    if (!h)
        return NULL;
    h->bytes = bytes;
    const uint64_t now =
        atomic_fetch_add_explicit(&live, bytes, memory_order_relaxed) + bytes;
    uint64_t most = atomic_load_explicit(&peak, memory_order_relaxed);
    while (now > most && !atomic_compare_exchange_weak(&peak, &most, now))
        ;
    return h + 1;
}

/* Tables of so many bytes are worth huge pages: those of millions of tasks are read in
 * another order than they lie in, and each small page of them is a fault at first. In
 * front and behind small pages remain, so nothing is resident that was not asked for.
 * What grows has small pages, for moving huge ones cuts them up, until it is settled,
 * which gathers pages at once, also where the system's policy is to have no huge ones.
 */
#define HUGE_FROM       ((size_t)2 << 20)
#define HUGE_PAGE       ((size_t)2 << 20)
#define ADVICE_COLLAPSE 25 /* MADV_COLLAPSE, since Linux 6.1 */

static void wish_huge(const header *h, size_t bytes, int advice)
{
    if (bytes < HUGE_FROM)
        return;
    const size_t before = -(uintptr_t)h & (HUGE_PAGE - 1);
    const size_t after = bytes > before ? (bytes - before) & ~(HUGE_PAGE - 1) : 0;
    const int before_wish = errno;
    madvise((char *)(uintptr_t)h + before, after, advice); /* whatever it answers */
    errno = before_wish;
}

static void *hand_out_fresh(header *h, size_t bytes)
{
    if (h)
        wish_huge(h, bytes, MADV_HUGEPAGE);
    return hand_out(h, bytes);
}

void cl_alloc_settle(void *p)
{
    if (!p)
        return;
    const header *const h = (header *)p - 1;
    wish_huge(h, h->bytes, ADVICE_COLLAPSE);
}

void *cl_alloc(size_t bytes)
{
    size_t total;
    if (__builtin_add_overflow(bytes, sizeof(header), &total) || is_failing())
        return NULL;
    return hand_out_fresh(malloc(total), bytes);
}

void *cl_alloc_array(size_t count, size_t size)
{
    size_t bytes;
    return cl_mul_size(count, size, &bytes) ? cl_alloc(bytes) : NULL;
}

void *cl_calloc(size_t count, size_t size)
{
    size_t bytes, total;
    if (!cl_mul_size(count, size, &bytes) ||
        __builtin_add_overflow(bytes, sizeof(header), &total) || is_failing())
        return NULL;
    return hand_out_fresh(calloc(1, total), bytes);
}

void *cl_realloc_array(void *p, size_t count, size_t size)
{
    if (!p)
        return cl_alloc_array(count, size);
    size_t bytes, total;
    if (!cl_mul_size(count, size, &bytes) ||
        __builtin_add_overflow(bytes, sizeof(header), &total) || is_failing())
        return NULL;
    header *h = (header *)p - 1;
    const size_t before = h->bytes;
    h = realloc(h, total);
    if (!h)
        return NULL;
    atomic_fetch_sub_explicit(&live, before, memory_order_relaxed);
    return hand_out(h, bytes);
}

char *cl_strdup(const char *text)
{
    const size_t bytes = strlen(text) + 1;
    char *copy = cl_alloc(bytes);
    return copy ? memcpy(copy, text, bytes) : NULL;
}

void cl_free(void *p)
{
    if (!p)
        return;
    header *h = (header *)p - 1;
    atomic_fetch_sub_explicit(&live, h->bytes, memory_order_relaxed);
    free(h);
}

uint64_t cl_alloc_live(void)
{
    return atomic_load_explicit(&live, memory_order_relaxed);
}

uint64_t cl_alloc_peak(void)
{
    return atomic_load_explicit(&peak, memory_order_relaxed);
}

void cl_alloc_forget_peak(void)
{
    atomic_store(&peak, cl_alloc_live());
}

void cl_alloc_fail_after(int64_t n)
{
    atomic_store(&has_failed, false);
    atomic_store(&countdown, n);
}

bool cl_alloc_has_failed(void)
{
    return atomic_load(&has_failed);
}

bool cl_grow_more(void *p_address, size_t *capacity, size_t need, size_t size)
{
    size_t wanted;
    if (__builtin_add_overflow(*capacity, *capacity / 2, &wanted) || wanted < need)
        wanted = need;
    if (wanted < CL_GROW_LEAST)
        wanted = CL_GROW_LEAST;
    void *p;
    memcpy(&p, p_address, sizeof p);
    p = cl_realloc_array(p, wanted, size);
    if (!p)
        return false;
    memcpy(p_address, &p, sizeof p);
    *capacity = wanted;
    return true;
}

/* ---- arena ---- */

typedef struct cl_arena_page {
    struct cl_arena_page *next; /* older pages */
    void *adopted;              /* instead of data, or NULL */
    bool is_own;                /* of one allocation */
    size_t used, size;          /* of data */
    _Alignas(16) char data[];
} cl_arena_page;

#define SMALLEST_PAGE ((size_t)4096 - sizeof(cl_arena_page) - sizeof(header))
#define LARGEST_PAGE  ((size_t)1 << 20)

/* A page of its own, of just that size, for what is as large as this. */
#define OWN_PAGE ((size_t)64 << 10)

/* In front, to be filled, or behind the newest, which has room for more. */
static void insert(cl_arena *arena, cl_arena_page *page, bool in_front)
{
    cl_arena_page **const at =
        in_front || !arena->page ? &arena->page : &arena->page->next;
    page->next = *at;
    *at = page;
}

static cl_arena_page *add_page(cl_arena *arena, size_t need)
{
    size_t size = SMALLEST_PAGE, total;
    const bool is_own = need >= OWN_PAGE;
    if (arena->page && !arena->page->is_own)
        size =
            arena->page->size < LARGEST_PAGE / 2 ? 2 * arena->page->size : LARGEST_PAGE;
    if (is_own || size < need)
        size = need;
    if (__builtin_add_overflow(size, sizeof(cl_arena_page), &total))
        return NULL;
    cl_arena_page *page = cl_calloc(1, total);
    if (!page)
        return NULL;
    page->size = size;
    page->is_own = is_own;
    insert(arena, page, !is_own);
    arena->bytes += total;
    return page;
}

void *cl_arena_alloc(cl_arena *arena, size_t bytes)
{
    size_t rounded;
    if (__builtin_add_overflow(bytes, ALIGNMENT - 1, &rounded))
        return NULL;
    rounded &= ~(ALIGNMENT - 1);
    if (rounded == 0)
        rounded = ALIGNMENT;
    cl_arena_page *page = arena->page;
    if (!page || page->size - page->used < rounded)
        page = add_page(arena, rounded);
    if (!page)
        return NULL;
    void *p = page->data + page->used;
    page->used += rounded;
    return p;
}

void *cl_arena_array(cl_arena *arena, size_t count, size_t size)
{
    size_t bytes;
    return cl_mul_size(count, size, &bytes) ? cl_arena_alloc(arena, bytes) : NULL;
}

bool cl_arena_adopt(cl_arena *arena, void *p)
{
    cl_arena_page *page = p ? cl_calloc(1, sizeof *page) : NULL;
    if (!page)
        return !p;
    page->adopted = p;
    page->is_own = true;
    insert(arena, page, false);
    arena->bytes += sizeof *page + ((header *)p - 1)->bytes;
    return true;
}

void cl_arena_fini(cl_arena *arena)
{
    while (arena->page) {
        cl_arena_page *page = arena->page;
        arena->page = page->next;
        cl_free(page->adopted);
        cl_free(page);
    }
    arena->bytes = 0;
}
