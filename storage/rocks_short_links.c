/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rocks_short_links.c: long addresses of pages under short names (docs/decisions/0154-links-are-kept.md). Answers come from the list
 * in memory; a change is in the database first. Knows the database through kv.h only. */
#include "storage/rocks_short_links.h"

#include "storage/rocks_change.h"

enum sp_status sp_rocks_load_short_links(struct sp_rocks *rocks, struct sp_error *reterr)
{
    struct sp_kv_iterator *rows = sp_kv_iterator_new(rocks->kv, SP_KV_META);
    if (rows == NULL)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory for links");
    enum sp_status status = SP_OK;
    sp_short_link_list_fini(&rocks->short_links);
    sp_kv_iterator_seek(rows, SP_LAYOUT_SHORT_LINK_PREFIX);
    for (; sp_kv_iterator_valid(rows) && status == SP_OK; sp_kv_iterator_next(rows)) {
        struct sp_slice key = sp_kv_iterator_key(rows);
        struct sp_slice state;
        uint64_t id, made_unix_ns;
        if (!sp_slice_starts_with(key, SP_LAYOUT_SHORT_LINK_PREFIX))
            break;
        if (sp_layout_short_link_parse(key, &id) &&
            sp_layout_short_link_read(sp_kv_iterator_value(rows), &made_unix_ns, &state))
            status = sp_short_link_list_add(&rocks->short_links, id, made_unix_ns, state, reterr);
    }
    if (status == SP_OK)
        status = sp_kv_iterator_status(rows, reterr);
    sp_kv_iterator_free(rows);
    return status;
}

/* ---- changes, with short_links_lock held: one at a time ---- */

static enum sp_status write_link(struct sp_rocks *rocks, uint64_t id, uint64_t made_unix_ns,
                                 struct sp_slice state, struct sp_error *reterr)
{
    struct sp_layout_key key = sp_layout_short_link_key(id);
    struct sp_buf value;
    sp_buf_init(&value, SP_SHORT_LINK_BYTES_MAX + 64);
    sp_layout_short_link_write(made_unix_ns, state, &value);
    enum sp_status status = sp_rocks_change_write(rocks, sp_layout_key_slice(&key), &value, reterr);
    sp_buf_fini(&value);
    return status;
}

static enum sp_status add(struct sp_rocks *rocks, struct sp_slice state, uint64_t now_unix_ns,
                          uint64_t *ret_id, struct sp_error *reterr)
{
    bool is_known = false;
    pthread_mutex_lock(&rocks->lock);
    enum sp_status status =
        sp_short_link_list_choose(&rocks->short_links, state, ret_id, &is_known, reterr);
    pthread_mutex_unlock(&rocks->lock);
    if (status == SP_OK && !is_known)
        status = write_link(rocks, *ret_id, now_unix_ns, state, reterr);
    if (status == SP_OK && !is_known) {
        pthread_mutex_lock(&rocks->lock);
        status = sp_short_link_list_add(&rocks->short_links, *ret_id, now_unix_ns, state, reterr);
        pthread_mutex_unlock(&rocks->lock);
    }
    return status;
}

static enum sp_status take_out(struct sp_rocks *rocks, uint64_t id, struct sp_error *reterr)
{
    struct sp_layout_key key = sp_layout_short_link_key(id);
    pthread_mutex_lock(&rocks->lock);
    enum sp_status status = sp_short_link_list_check_has(&rocks->short_links, id, reterr);
    pthread_mutex_unlock(&rocks->lock);
    if (status == SP_OK)
        status = sp_rocks_change_write(rocks, sp_layout_key_slice(&key), NULL, reterr);
    if (status == SP_OK) {
        pthread_mutex_lock(&rocks->lock);
        sp_short_link_list_remove(&rocks->short_links, id);
        pthread_mutex_unlock(&rocks->lock);
    }
    return status;
}

/* ---- operations ---- */

enum sp_status sp_rocks_short_link_add(struct sp_store *store, struct sp_slice state,
                                       uint64_t now_unix_ns, uint64_t *ret_id,
                                       struct sp_error *reterr)
{
    struct sp_rocks *rocks = sp_rocks_of(store);
    struct sp_rocks_change change;
    enum sp_status status = sp_rocks_change_begin(rocks, &rocks->short_links_lock, &change, reterr);
    if (status != SP_OK)
        return status;
    status = add(rocks, state, now_unix_ns, ret_id, reterr);
    sp_rocks_change_end(rocks, &change);
    return status;
}

enum sp_status sp_rocks_short_link_remove(struct sp_store *store, uint64_t id,
                                          struct sp_error *reterr)
{
    struct sp_rocks *rocks = sp_rocks_of(store);
    struct sp_rocks_change change;
    enum sp_status status = sp_rocks_change_begin(rocks, &rocks->short_links_lock, &change, reterr);
    if (status != SP_OK)
        return status;
    status = take_out(rocks, id, reterr);
    sp_rocks_change_end(rocks, &change);
    return status;
}

enum sp_status sp_rocks_short_link(struct sp_store *store, uint64_t id, struct sp_arena *arena,
                                   struct sp_slice *ret_state, struct sp_error *reterr)
{
    struct sp_rocks *rocks = sp_rocks_of(store);
    enum sp_status status = sp_rocks_check_open(rocks, reterr);
    if (status != SP_OK)
        return status;
    pthread_mutex_lock(&rocks->lock);
    status = sp_short_link_list_read(&rocks->short_links, id, arena, ret_state, reterr);
    pthread_mutex_unlock(&rocks->lock);
    return status;
}

enum sp_status sp_rocks_short_links(struct sp_store *store, struct sp_arena *arena,
                                    struct sp_short_links *ret, struct sp_error *reterr)
{
    struct sp_rocks *rocks = sp_rocks_of(store);
    enum sp_status status = sp_rocks_check_open(rocks, reterr);
    if (status != SP_OK)
        return status;
    pthread_mutex_lock(&rocks->lock);
    status = sp_short_link_list_copy(&rocks->short_links, arena, ret, reterr);
    pthread_mutex_unlock(&rocks->lock);
    return status;
}
