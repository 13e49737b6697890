/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Block memory.
 *
 * Blocks of nearly equal page counts (eight classes between n and 2 n) form a class; a
 * class owns chunks of address space cut into slots. Address space is not memory: a
 * chunk is reserved without access and opened for use slot by slot, so that only what
 * was handed out can ever be touched. A slot that is given back stays touched (cached),
 * for the next block of its class costs no page faults then; what it has more than the
 * next block needs goes back to the system. A class that needs pages while the limit
 * would be passed first takes as many as are lacking, no more, from the cached slots
 * of the class that has most. A request therefore succeeds whenever the page
 * count allows it, whatever the mix of sizes was before: there is no fragmentation of
 * pages, only of addresses.
 *
 * A cached slot is touched from its begin up to a page count that is kept with it.
 *
 * Huge pages are asked for only where a block is a multiple of one (these have exact
 * classes, and lose pages by whole huge ones), and refused
 * elsewhere, because the kernel would otherwise touch pages beyond the slot.
 *
 * Cost: take and give O(1) in the steady state; O(classes) for each slot taken from
 * another class. Tables: 24 bytes a slot.
 */
#include "sched/memory.h"

#include "base/alloc.h"
#include "graph/plan.h"

#include <string.h>
#include <sys/mman.h>

#define HUGE_PAGE   ((size_t)2 << 20)
#define HUGE_PAGES  (HUGE_PAGE / CL_PAGE)
#define FIRST_CHUNK ((size_t)16 << 20)

/* Blocks of fewer pages are in classes of just that size, found without a search. */
#define SMALL 16

typedef struct {
    char *base;    /* first slot */
    char *mapping; /* what munmap is told: base may be aligned up */
    size_t mapped;
    size_t slots, opened; /* slots that exist; slots with access */
} chunk;

typedef struct {
    void **slot;
    size_t count, capacity;
} stack;

typedef struct {
    void *address;
    uint64_t pages; /* touched, from the slot's begin */
} cached_slot;

typedef struct {
    uint64_t pages;      /* of a slot */
    cached_slot *cached; /* free slots, touched; as much room as `clean` has */
    size_t ncached, cached_capacity;
    stack clean;   /* free slots, untouched */
    chunk *chunks; /* the last one may have slots that were never opened */
    size_t nchunk, chunk_capacity;
    uint64_t slots, live;
    uint64_t used_at; /* clock of the last take */
} class;

struct cl_memory {
    uint64_t limit, live, cached, peak, clock;
    class *classes;
    size_t nclass, class_capacity;
    uint32_t *table; /* open addressing: class index + 1 */
    size_t table_size;
    uint32_t small[SMALL]; /* the same of classes of few pages */
};

static _Alignas(64) char nothing[64];

cl_memory *cl_memory_new(uint64_t limit)
{
    cl_memory *memory = cl_calloc(1, sizeof *memory);
    if (memory)
        memory->limit = limit;
    return memory;
}

static void unmap_chunks(class *c)
{
    for (size_t i = 0; i < c->nchunk; i++)
        munmap(c->chunks[i].mapping, c->chunks[i].mapped);
    c->nchunk = 0;
}

void cl_memory_free(cl_memory *memory)
{
    if (!memory)
        return;
    for (size_t i = 0; i < memory->nclass; i++) {
        class *c = &memory->classes[i];
        unmap_chunks(c);
        cl_free(c->chunks);
        cl_free(c->cached);
        cl_free(c->clean.slot);
    }
    cl_free(memory->classes);
    cl_free(memory->table);
    cl_free(memory);
}

/* ---- classes ---- */

/* Pages of the slots that a block of `pages` gets. Only multiples of a huge page are in
 * a class that is one. */
static uint64_t class_pages(uint64_t pages)
{
    if (pages < SMALL || pages % HUGE_PAGES == 0)
        return pages;
    const uint64_t step = (uint64_t)1 << (60 - __builtin_clzll(pages));
    const uint64_t rounded = (pages + step - 1) / step * step;
    return rounded % HUGE_PAGES ? rounded : rounded + 1;
}

static size_t table_index(const cl_memory *memory, uint64_t pages)
{
    return (size_t)((pages * 0x9e3779b97f4a7c15u) >> 32) & (memory->table_size - 1);
}

static class *find_class(const cl_memory *memory, uint64_t pages)
{
    if (pages < SMALL)
        return memory->small[pages] ? &memory->classes[memory->small[pages] - 1] : NULL;
    if (!memory->table_size)
        return NULL;
    for (size_t i = table_index(memory, pages);;
         i = (i + 1) & (memory->table_size - 1)) {
        if (!memory->table[i])
            return NULL;
        class *c = &memory->classes[memory->table[i] - 1];
        if (c->pages == pages)
            return c;
    }
}

static void enter_class(cl_memory *memory, size_t index)
{
    size_t i = table_index(memory, memory->classes[index].pages);
    while (memory->table[i])
        i = (i + 1) & (memory->table_size - 1);
    memory->table[i] = (uint32_t)index + 1;
}

static bool grow_table(cl_memory *memory)
{
    if (memory->nclass * 2 < memory->table_size)
        return true;
    const size_t size = memory->table_size ? memory->table_size * 2 : 64;
    uint32_t *table = cl_calloc(size, sizeof *table);
    if (!table)
        return false;
    cl_free(memory->table);
    memory->table = table;
    memory->table_size = size;
    for (size_t i = 0; i < memory->nclass; i++)
        enter_class(memory, i);
    return true;
}

static class *add_class(cl_memory *memory, uint64_t pages)
{
    if (!cl_grow(&memory->classes, &memory->class_capacity, memory->nclass + 1,
                 sizeof *memory->classes) ||
        !grow_table(memory))
        return NULL;
    class *c = &memory->classes[memory->nclass];
    *c = (class){.pages = pages};
    enter_class(memory, memory->nclass++);
    if (pages < SMALL)
        memory->small[pages] = (uint32_t)memory->nclass;
    return c;
}

/* ---- address space ---- */

static bool is_huge(const class *c)
{
    return c->pages * CL_PAGE % HUGE_PAGE == 0;
}

/* Reserves a chunk of `slots` slots without access. */
static bool map_chunk(class *c, size_t slots)
{
    const size_t slot = (size_t)c->pages * CL_PAGE;
    size_t bytes;
    if (!cl_mul_size(slots, slot, &bytes))
        return false;
    const size_t align = is_huge(c) ? HUGE_PAGE : CL_PAGE;
    if (__builtin_add_overflow(bytes, align - CL_PAGE, &bytes))
        return false;
    char *p = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);
    if (p == MAP_FAILED)
        return false;
    char *base = p + (-(uintptr_t)p & (align - 1));
    madvise(p, bytes, is_huge(c) ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
    madvise(p, bytes, MADV_DONTDUMP);
    c->chunks[c->nchunk++] =
        (chunk){.base = base, .mapping = p, .mapped = bytes, .slots = slots};
    return true;
}

/* Gives back the address space of classes that hold nothing. */
static bool release_idle_classes(cl_memory *memory)
{
    bool any = false;
    for (size_t i = 0; i < memory->nclass; i++) {
        class *c = &memory->classes[i];
        if (c->live || !c->nchunk)
            continue;
        for (size_t k = 0; k < c->ncached; k++)
            memory->cached -= c->cached[k].pages;
        c->ncached = c->clean.count = 0;
        c->slots = 0;
        unmap_chunks(c);
        any = true;
    }
    return any;
}

/* A further chunk: as much as the class has, so that address space in use stays within
 * twice the need; less where the process is short of it. */
static bool add_chunk(cl_memory *memory, class *c)
{
    if (!cl_grow(&c->chunks, &c->chunk_capacity, c->nchunk + 1, sizeof *c->chunks))
        return false;
    const uint64_t slot = c->pages * CL_PAGE;
    uint64_t want = c->slots * slot > FIRST_CHUNK ? c->slots * slot : FIRST_CHUNK;
    const uint64_t all = memory->limit * CL_PAGE;
    if (want > all)
        want = all;
    for (uint64_t slots = want / slot + 1;; slots /= 2) {
        if (slots == 0)
            return false;
        if (map_chunk(c, (size_t)slots))
            return true;
    }
}

/* Opens one more slot of the last chunk, small ones by the MiB. */
static void *open_slot(class *c)
{
    chunk *k = &c->chunks[c->nchunk - 1];
    const size_t slot = (size_t)c->pages * CL_PAGE;
    size_t count = slot < HUGE_PAGE / 2 ? HUGE_PAGE / 2 / slot : 1;
    if (count > k->slots - k->opened)
        count = k->slots - k->opened;
    const size_t room = c->slots + count;
    if (!cl_grow(&c->cached, &c->cached_capacity, room, sizeof *c->cached) ||
        !cl_grow(&c->clean.slot, &c->clean.capacity, room, sizeof(void *)))
        return NULL;
    char *first = k->base + k->opened * slot;
    if (mprotect(first, count * slot, PROT_READ | PROT_WRITE))
        return NULL;
    k->opened += count;
    c->slots += count;
    for (size_t i = count; i-- > 1;)
        c->clean.slot[c->clean.count++] = first + i * slot;
    return first;
}

static bool has_unopened(const class *c)
{
    return c->nchunk &&
           c->chunks[c->nchunk - 1].opened < c->chunks[c->nchunk - 1].slots;
}

static void *clean_slot(cl_memory *memory, class *c)
{
    if (c->clean.count)
        return c->clean.slot[--c->clean.count];
    if (!has_unopened(c) && !add_chunk(memory, c) &&
        !(release_idle_classes(memory) && add_chunk(memory, c)))
        return NULL;
    return open_slot(c);
}

/* ---- pages ---- */

/* Returns what a slot has beyond `keep` pages to the system. */
static void trim(cl_memory *memory, cached_slot *slot, uint64_t keep)
{
    if (slot->pages <= keep)
        return;
    madvise((char *)slot->address + keep * CL_PAGE, (slot->pages - keep) * CL_PAGE,
            MADV_DONTNEED);
    memory->cached -= slot->pages - keep;
    slot->pages = keep;
}

/* Returns `pages` of one cached slot to the system, or all that it has. */
static void drop_cached(cl_memory *memory, class *c, uint64_t pages)
{
    cached_slot *slot = &c->cached[c->ncached - 1];
    uint64_t keep = slot->pages > pages ? slot->pages - pages : 0;
    if (is_huge(c))
        keep -= keep % HUGE_PAGES;
    trim(memory, slot, keep);
    if (keep)
        return;
    c->clean.slot[c->clean.count++] = slot->address;
    c->ncached--;
}

static class *richest_cached(const cl_memory *memory)
{
    class *best = NULL;
    for (size_t i = 0; i < memory->nclass; i++) {
        class *c = &memory->classes[i];
        if (c->ncached &&
            (!best || c->ncached * c->pages > best->ncached * best->pages))
            best = c;
    }
    return best;
}

/* Gives cached pages back until `pages` fit beside the rest, or none are cached. */
static inline void make_room(cl_memory *memory, uint64_t pages)
{
    while (memory->live + memory->cached + pages > memory->limit && memory->cached)
        drop_cached(memory, richest_cached(memory),
                    memory->live + memory->cached + pages - memory->limit);
}

/* A cached slot with at most so many pages touched; NULL: the class has none. */
static void *cached_address(cl_memory *memory, class *c, uint64_t pages)
{
    if (!c->ncached)
        return NULL;
    cached_slot *slot = &c->cached[c->ncached - 1];
    trim(memory, slot, pages);
    memory->cached -= slot->pages;
    c->ncached--;
    return slot->address;
}

bool cl_memory_has_room(const cl_memory *memory, uint64_t pages)
{
    return memory->live <= memory->limit && pages <= memory->limit - memory->live;
}

void *cl_memory_take(cl_memory *memory, uint64_t pages)
{
    if (!pages)
        return nothing;
    if (!cl_memory_has_room(memory, pages))
        return NULL;
    class *c = find_class(memory, class_pages(pages));
    if (!c && !(c = add_class(memory, class_pages(pages))))
        return NULL;
    c->used_at = ++memory->clock;
    void *slot = cached_address(memory, c, pages);
    make_room(memory, pages);
    if (!slot && !(slot = clean_slot(memory, c)))
        return NULL;
    c->live++;
    memory->live += pages;
    if (memory->live > memory->peak)
        memory->peak = memory->live;
    return slot;
}

void cl_memory_give(cl_memory *memory, void *slot, uint64_t pages)
{
    if (!pages)
        return;
    class *c = find_class(memory, class_pages(pages));
    c->live--;
    c->cached[c->ncached++] = (cached_slot){slot, pages};
    memory->live -= pages;
    memory->cached += pages;
    make_room(memory, 0);
}

void cl_memory_set_limit(cl_memory *memory, uint64_t limit)
{
    memory->limit = limit;
    make_room(memory, 0);
}

uint64_t cl_memory_live(const cl_memory *memory)
{
    return memory->live;
}

uint64_t cl_memory_cached(const cl_memory *memory)
{
    return memory->cached;
}

uint64_t cl_memory_peak(const cl_memory *memory)
{
    return memory->peak;
}
