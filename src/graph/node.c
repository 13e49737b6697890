/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The store of nodes: counted, shared by value, never moved.
 *
 * A node is one allocation: the record, then its inputs, map and chunk, so a pointer
 * that cl_nodes_get() gave stays valid while somebody holds a reference. Slots are a
 * table of pointers (an id is a slot), free slots form a list, and a chained hash table
 * over the records finds an equal live node in O(1). The bytes that are hashed and
 * compared are those that mean something: dims up to ndim, map axes up to nin.
 *
 * Dropping the last reference drops the inputs in turn; the work list is threaded
 * through the dying records themselves, so that a chain of a million nodes needs
 * neither stack nor memory to die.
 */
#include "graph/node.h"

#include <string.h>

typedef struct record {
    struct record *next; /* in the bucket; in the list of the dying */
    uint64_t hash;
    uint32_t slot, refs;
    cl_node node;
    cl_map map;
    /* then: cl_node_id in[nin], padded to 8 bytes, int64_t chunk[ndim] */
} record;

struct cl_nodes {
    record **slot;
    uint32_t *free_slot; /* stack of slots below nslot that are free */
    record **bucket;     /* nbucket of them, a power of two; 0 before the first node */
    size_t slot_capacity, free_capacity, nbucket;
    uint32_t nslot, nfree, live;
};

static uint64_t mix_bytes(uint64_t h, const void *data, size_t bytes)
{
    const char *p = data;
    for (; bytes >= 8; bytes -= 8, p += 8) {
        uint64_t v;
        memcpy(&v, p, 8);
        h = cl_hash_mix(h, v);
    }
    uint64_t last = 0;
    memcpy(&last, p, bytes);
    return cl_hash_mix(h, last ^ (uint64_t)bytes << 56);
}

uint64_t cl_node_hash(const cl_node *n, uint64_t h)
{
    const size_t word = sizeof(int64_t);
    h = cl_hash_mix(h, (uint64_t)n->op << 48 | (uint64_t)n->dtype << 40 |
                           (uint64_t)n->shape.ndim << 32 | n->nin);
    h = mix_bytes(h, n->shape.dim, (size_t)n->shape.ndim * word);
    h = mix_bytes(h, &n->params, sizeof n->params);
    if (n->map) {
        const size_t nin = (size_t)n->map->nin;
        h = cl_hash_mix(h, (uint64_t)n->map->nout << 32 | (uint64_t)nin);
        h = mix_bytes(h, n->map->src, nin);
        h = mix_bytes(h, n->map->off, nin * word);
        h = mix_bytes(h, n->map->step, nin * word);
    }
    if (n->chunk)
        h = mix_bytes(h, n->chunk, (size_t)n->shape.ndim * word);
    return h;
}

static bool map_equal(const cl_map *a, const cl_map *b)
{
    return a == b || (a && b && cl_map_equal(a, b));
}

static bool node_equal(const cl_node *a, const cl_node *b)
{
    if (a->op != b->op || a->dtype != b->dtype || a->nin != b->nin ||
        !cl_shape_equal(&a->shape, &b->shape) ||
        memcmp(&a->params, &b->params, sizeof a->params) != 0 ||
        !map_equal(a->map, b->map) || !a->chunk != !b->chunk)
        return false;
    for (uint32_t i = 0; i < a->nin; i++)
        if (a->in[i].v != b->in[i].v)
            return false;
    return !a->chunk ||
           memcmp(a->chunk, b->chunk, (size_t)a->shape.ndim * sizeof *a->chunk) == 0;
}

cl_nodes *cl_nodes_new(void)
{
    return cl_calloc(1, sizeof(cl_nodes));
}

void cl_nodes_free(cl_nodes *nodes)
{
    if (!nodes)
        return;
    for (uint32_t i = 0; i < nodes->nslot; i++)
        cl_free(nodes->slot[i]);
    cl_free(nodes->slot);
    cl_free(nodes->free_slot);
    cl_free(nodes->bucket);
    cl_free(nodes);
}

static bool rehash(cl_nodes *nodes, size_t nbucket)
{
    record **const bucket = cl_calloc(nbucket, sizeof(record *));
    if (!bucket)
        return false;
    for (uint32_t i = 0; i < nodes->nslot; i++) {
        record *const r = nodes->slot[i];
        if (!r)
            continue;
        record **const head = &bucket[r->hash & (nbucket - 1)];
        r->next = *head;
        *head = r;
    }
    cl_free(nodes->bucket);
    nodes->bucket = bucket;
    nodes->nbucket = nbucket;
    return true;
}

/* Room for one more node in slots, free list and hash table, so that adding and
 * dropping cannot fail half-way. */
static bool reserve(cl_nodes *nodes)
{
    if (nodes->live >= nodes->nbucket &&
        !rehash(nodes, nodes->nbucket ? 2 * nodes->nbucket : 64))
        return false;
    if (nodes->nfree > 0)
        return true;
    const size_t need = (size_t)nodes->nslot + 1;
    return need < UINT32_MAX &&
           cl_grow(&nodes->slot, &nodes->slot_capacity, need, sizeof(record *)) &&
           cl_grow(&nodes->free_slot, &nodes->free_capacity, need, sizeof(uint32_t));
}

/* One allocation: record, inputs, chunk. */
static record *record_new(const cl_node *node, uint64_t hash)
{
    const size_t in_words = ((size_t)node->nin + 1) / 2;
    const size_t chunk_words = node->chunk ? (size_t)node->shape.ndim : 0;
    const size_t tail = (in_words + chunk_words) * sizeof(int64_t);
    record *const r = cl_calloc(1, sizeof *r + tail);
    if (!r)
        return NULL;
    r->hash = hash;
    r->refs = 1;
    r->node = *node;
    cl_node_id *const in = (void *)(r + 1);
    if (node->nin > 0)
        memcpy(in, node->in, node->nin * sizeof *in);
    r->node.in = in;
    if (node->map) {
        r->map = *node->map;
        r->node.map = &r->map;
    }
    if (node->chunk) {
        int64_t *const chunk = (int64_t *)(void *)(r + 1) + in_words;
        memcpy(chunk, node->chunk, chunk_words * sizeof *chunk);
        r->node.chunk = chunk;
    }
    return r;
}

static record *find(const cl_nodes *nodes, const cl_node *node, uint64_t hash)
{
    if (nodes->nbucket == 0)
        return NULL;
    record *r = nodes->bucket[hash & (nodes->nbucket - 1)];
    while (r && !(r->hash == hash && node_equal(&r->node, node)))
        r = r->next;
    return r;
}

clast_status cl_nodes_add(cl_nodes *nodes, const cl_node *node, cl_node_id *id)
{
    uint64_t hash = cl_node_hash(node, 0);
    for (uint32_t i = 0; i < node->nin; i++)
        hash = cl_hash_mix(hash, node->in[i].v);

    record *const equal = find(nodes, node, hash);
    if (equal) {
        equal->refs++;
        id->v = equal->slot;
        return CLAST_OK;
    }

    if (!reserve(nodes))
        return CLAST_ENOMEM;
    record *const r = record_new(node, hash);
    if (!r)
        return CLAST_ENOMEM;
    for (uint32_t i = 0; i < node->nin; i++)
        cl_nodes_keep(nodes, node->in[i]);
    r->slot = nodes->nfree > 0 ? nodes->free_slot[--nodes->nfree] : nodes->nslot++;
    nodes->slot[r->slot] = r;
    record **const head = &nodes->bucket[hash & (nodes->nbucket - 1)];
    r->next = *head;
    *head = r;
    nodes->live++;
    id->v = r->slot;
    return CLAST_OK;
}

const cl_node *cl_nodes_get(const cl_nodes *nodes, cl_node_id id)
{
    return &nodes->slot[id.v]->node;
}

void cl_nodes_keep(cl_nodes *nodes, cl_node_id id)
{
    nodes->slot[id.v]->refs++;
}

static void unlink_record(cl_nodes *nodes, const record *r)
{
    record **at = &nodes->bucket[r->hash & (nodes->nbucket - 1)];
    while (*at != r)
        at = &(*at)->next;
    *at = r->next;
}

/* Takes one reference away; the last one moves the record to the list of the dying. */
static void release(cl_nodes *nodes, uint32_t slot, record **dying)
{
    record *const r = nodes->slot[slot];
    if (--r->refs > 0)
        return;
    unlink_record(nodes, r);
    r->next = *dying;
    *dying = r;
}

void cl_nodes_drop(cl_nodes *nodes, cl_node_id id,
                   void (*on_source_gone)(void *arg, uint32_t source), void *arg)
{
    record *dying = NULL;
    release(nodes, id.v, &dying);
    while (dying) {
        record *const r = dying;
        dying = r->next;
        for (uint32_t i = 0; i < r->node.nin; i++)
            release(nodes, r->node.in[i].v, &dying);
        const bool is_entry = r->node.op == CL_OP_SOURCE || r->node.op == CL_OP_USER;
        if (is_entry && on_source_gone)
            on_source_gone(arg, r->node.params.source);
        nodes->slot[r->slot] = NULL;
        nodes->free_slot[nodes->nfree++] = r->slot;
        nodes->live--;
        cl_free(r);
    }
}
