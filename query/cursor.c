/* SPDX-License-Identifier: Apache-2.0
 *
 * query/cursor.c: cursors as text. The fingerprint covers the cursor's own bytes too, so a cursor that was damaged or
 * made for another question is refused; it is no secret and protects nothing. */
#include "query/search.h"

/* FNV-1a, 64 bits, of one text behind the other. */
static uint64_t fingerprint(struct sp_slice a, struct sp_slice b)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < a.len; i++)
        hash = (hash ^ a.ptr[i]) * 0x100000001b3u;
    hash = (hash ^ 0xff) * 0x100000001b3u; /* no UTF-8 byte: where one ends and the other begins */
    for (size_t i = 0; i < b.len; i++)
        hash = (hash ^ b.ptr[i]) * 0x100000001b3u;
    return hash;
}

static void put_u64(uint8_t *out, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)(value >> (56 - 8 * i));
}

static uint64_t get_u64(const uint8_t *in)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value = value << 8 | in[i];
    return value;
}

int sp_search_key_compare(const struct sp_search_key *a, const struct sp_search_key *b)
{
    if (a->rank != b->rank)
        return a->rank < b->rank ? -1 : 1;
    return sp_trace_id_compare(&a->trace_id, &b->trace_id);
}

#define CHECKED_BYTES (SP_CURSOR_BYTES - 16)

static void put_place(uint8_t *out, uint64_t number, const struct sp_trace_id *id)
{
    put_u64(out, number);
    memcpy(out + 8, id->bytes, SP_TRACE_ID_BYTES);
}

static void get_place(const uint8_t *in, uint64_t *number, struct sp_trace_id *id)
{
    *number = get_u64(in);
    memcpy(id->bytes, in + 8, SP_TRACE_ID_BYTES);
}

void sp_search_cursor_format(const struct sp_search_cursor *cursor, struct sp_slice question,
                             char out[SP_CURSOR_TEXT])
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint8_t bytes[SP_CURSOR_BYTES];
    put_place(bytes, cursor->key.rank, &cursor->key.trace_id);
    put_u64(bytes + 24, cursor->range.from_unix_ns);
    put_u64(bytes + 32, cursor->range.to_unix_ns);
    put_place(bytes + 40, cursor->border.bound_unix_ns, &cursor->border.trace_id);
    put_place(bytes + 64, cursor->position.bound_unix_ns, &cursor->position.trace_id);
    put_place(bytes + 88, cursor->border_key.rank, &cursor->border_key.trace_id);
    uint64_t hash = fingerprint(question, sp_slice_make(bytes, CHECKED_BYTES));
    put_u64(bytes + CHECKED_BYTES, hash);
    put_u64(bytes + CHECKED_BYTES + 8, fingerprint(sp_slice_make(bytes, CHECKED_BYTES), question));
    size_t len = 0;
    for (size_t bit = 0; bit < 8 * SP_CURSOR_BYTES; bit += 6) {
        size_t at = bit / 8;
        unsigned window = (unsigned)bytes[at] << 8 | (at + 1 < SP_CURSOR_BYTES ? bytes[at + 1] : 0);
        out[len++] = alphabet[window >> (10 - bit % 8) & 63];
    }
    out[len] = 0;
}

enum sp_status sp_search_cursor_parse(struct sp_slice text, struct sp_slice question,
                                      struct sp_search_cursor *ret, struct sp_error *reterr)
{
    struct sp_buf bytes;
    sp_buf_init(&bytes, 4096);
    bool valid = text.len == SP_CURSOR_TEXT - 1 && sp_base64_decode(text, &bytes) &&
                 bytes.error == SP_OK && bytes.len == SP_CURSOR_BYTES;
    struct sp_slice checked = sp_slice_make(bytes.ptr, CHECKED_BYTES);
    bool own = valid && get_u64(bytes.ptr + CHECKED_BYTES) == fingerprint(question, checked) &&
               get_u64(bytes.ptr + CHECKED_BYTES + 8) == fingerprint(checked, question);
    if (own) {
        static const struct sp_trace_id none;
        get_place(bytes.ptr, &ret->key.rank, &ret->key.trace_id);
        ret->range.from_unix_ns = get_u64(bytes.ptr + 24);
        ret->range.to_unix_ns = get_u64(bytes.ptr + 32);
        get_place(bytes.ptr + 40, &ret->border.bound_unix_ns, &ret->border.trace_id);
        get_place(bytes.ptr + 64, &ret->position.bound_unix_ns, &ret->position.trace_id);
        get_place(bytes.ptr + 88, &ret->border_key.rank, &ret->border_key.trace_id);
        ret->resumes = sp_trace_id_compare(&ret->border.trace_id, &none) != 0;
    }
    sp_buf_fini(&bytes);
    if (!valid)
        return sp_error_set_parameter(reterr, SP_INVALID_ARGUMENT, "cursor",
                                      "\"cursor\" is not one that a search has returned");
    if (!own)
        return sp_error_set_parameter(
            reterr, SP_INVALID_ARGUMENT, "cursor",
            "\"cursor\" belongs to a search with another q, from, to or order");
    return SP_OK;
}
