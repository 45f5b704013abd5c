/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/short_link_list.c: see short_link_list.h. A pass over all for every question: they are few, and rarely asked for. */
#include "storage/short_link_list.h"

#include <stdlib.h>

/* Two states with the same checksum are told apart by the next seed. */
#define SEEDS 8

void sp_short_link_list_fini(struct sp_short_link_list *list)
{
    for (uint32_t i = 0; i < list->links.count; i++)
        free(list->links.items[i].state);
    sp_vector_fini(&list->links);
    *list = (struct sp_short_link_list){0};
}

/* NULL: there is none. */
static struct sp_short_link_kept *find(const struct sp_short_link_list *list, uint64_t id)
{
    for (uint32_t i = 0; i < list->links.count; i++) {
        if (list->links.items[i].link.id == id)
            return &list->links.items[i];
    }
    return NULL;
}

enum sp_status sp_short_link_list_check_has(const struct sp_short_link_list *list, uint64_t id,
                                            struct sp_error *reterr)
{
    return find(list, id) != NULL ? SP_OK
                                  : sp_error_set(reterr, SP_NOT_FOUND, "no such link is kept here");
}

static struct sp_slice state_of(const struct sp_short_link_kept *kept)
{
    return sp_slice_make(kept->state, kept->link.bytes);
}

enum sp_status sp_short_link_check(struct sp_slice state, struct sp_error *reterr)
{
    if (state.len == 0)
        return sp_error_set(reterr, SP_INVALID_ARGUMENT, "a link needs a state");
    if (state.len > SP_SHORT_LINK_BYTES_MAX)
        return sp_error_set(reterr, SP_LIMIT, "a link has at most %zu bytes",
                            SP_SHORT_LINK_BYTES_MAX);
    return SP_OK;
}

static enum sp_status check_room(const struct sp_short_link_list *list, struct sp_slice state,
                                 struct sp_error *reterr)
{
    if (list->links.count >= SP_SHORT_LINKS_MAX)
        return sp_error_set(reterr, SP_LIMIT, "%d links are kept already: remove one first",
                            SP_SHORT_LINKS_MAX);
    if (list->bytes + state.len > SP_SHORT_LINKS_BYTES_MAX)
        return sp_error_set(reterr, SP_LIMIT,
                            "links of %zu bytes are kept already, of at most %zu: remove one first",
                            list->bytes, SP_SHORT_LINKS_BYTES_MAX);
    return SP_OK;
}

bool sp_short_link_is_of(uint64_t id, struct sp_slice state)
{
    uint64_t seed = 0;
    while (seed < SEEDS && sp_checksum(state, seed) != id)
        seed++;
    return seed < SEEDS;
}

enum sp_status sp_short_link_list_choose(const struct sp_short_link_list *list,
                                         struct sp_slice state, uint64_t *ret_id, bool *ret_known,
                                         struct sp_error *reterr)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        *ret_id = sp_checksum(state, seed);
        const struct sp_short_link_kept *other = find(list, *ret_id);
        *ret_known = other != NULL && sp_slice_equal(state_of(other), state);
        if (*ret_known)
            return SP_OK;
        if (other == NULL)
            return check_room(list, state, reterr);
    }
    return sp_error_set(reterr, SP_LIMIT, "other links have all names that this one could get");
}

enum sp_status sp_short_link_list_add(struct sp_short_link_list *list, uint64_t id,
                                      uint64_t made_unix_ns, struct sp_slice state,
                                      struct sp_error *reterr)
{
    struct sp_short_link_kept kept = {
        .link = {.id = id, .made_unix_ns = made_unix_ns, .bytes = state.len},
        .state = malloc(state.len + 1)};
    if (kept.state == NULL || !sp_vector_push(&list->links, kept)) {
        free(kept.state);
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory for links");
    }
    memcpy(kept.state, state.ptr, state.len);
    list->bytes += state.len;
    return SP_OK;
}

void sp_short_link_list_remove(struct sp_short_link_list *list, uint64_t id)
{
    struct sp_short_link_kept *kept = find(list, id);
    list->bytes -= kept->link.bytes;
    free(kept->state);
    *kept = list->links.items[--list->links.count];
}

/* ---- copies ---- */

enum sp_status sp_short_link_list_read(const struct sp_short_link_list *list, uint64_t id,
                                       struct sp_arena *arena, struct sp_slice *ret_state,
                                       struct sp_error *reterr)
{
    enum sp_status status = sp_short_link_list_check_has(list, id, reterr);
    if (status != SP_OK)
        return status;
    if (!sp_arena_copy(arena, state_of(find(list, id)), ret_state))
        return sp_arena_failed(arena, reterr, "the link does not fit into this query's memory");
    return SP_OK;
}

static int compare(const void *a, const void *b)
{
    const struct sp_short_link *x = a;
    const struct sp_short_link *y = b;
    if (x->made_unix_ns != y->made_unix_ns)
        return x->made_unix_ns < y->made_unix_ns ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

enum sp_status sp_short_link_list_copy(const struct sp_short_link_list *list,
                                       struct sp_arena *arena, struct sp_short_links *ret,
                                       struct sp_error *reterr)
{
    size_t count = list->links.count;
    struct sp_short_link *rows = sp_arena_calloc(arena, count + 1, sizeof(*rows));
    if (rows == NULL)
        return sp_arena_failed(arena, reterr, "links do not fit into this query's memory");
    for (size_t i = 0; i < count; i++)
        rows[i] = list->links.items[i].link;
    if (count > 1)
        qsort(rows, count, sizeof(*rows), compare);
    *ret = (struct sp_short_links){.rows = rows, .count = count, .bytes = list->bytes};
    return SP_OK;
}
