/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rocks_entry.c: a record of the journal becomes the entry again that it was when it came. Knows no database. */
#include "storage/rocks.h"

#include <stdlib.h>

enum sp_status sp_rocks_entry_take(uint64_t sequence, struct sp_slice record,
                                   struct sp_rocks_entry **ret, struct sp_error *reterr)
{
    struct sp_journal_record parts;
    if (!sp_layout_journal_read(record, &parts))
        return sp_error_set(reterr, SP_CORRUPT, "journal record %llu is damaged",
                            (unsigned long long)sequence);
    /* Not today's limits: what was let in under larger ones was acked. */
    struct sp_append *append =
        sp_append_new(SP_ROCKS_RECORD_BYTES_MAX, SP_ROCKS_RECORD_BYTES_MAX, SIZE_MAX);
    struct sp_rocks_entry *entry = calloc(1, sizeof(*entry));
    if (append != NULL) {
        append->received_unix_ns = parts.received_unix_ns;
        append->format = parts.format;
        append->encoding = parts.encoding;
        sp_buf_append_slice(&append->body, parts.body);
    }
    if (append == NULL || entry == NULL || append->body.error != SP_OK) {
        sp_append_free(append);
        free(entry);
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to replay the journal");
    }
    *entry = (struct sp_rocks_entry){.append = append,
                                     .sequence = sequence,
                                     .packed = parts.packed,
                                     .bytes = append->body.cap,
                                     .journal_bytes = record.len};
    atomic_init(&entry->references, 1);
    *ret = entry;
    return SP_OK;
}

/* The body as it came. */
static enum sp_status unpack(struct sp_rocks_entry *entry, struct sp_error *reterr)
{
    struct sp_buf *body = &entry->append->body;
    struct sp_buf plain;
    sp_buf_init(&plain, SP_ROCKS_RECORD_BYTES_MAX);
    enum sp_status status = sp_layout_body_unpack(sp_buf_slice(body), &plain, reterr);
    if (status != SP_OK) {
        sp_buf_fini(&plain);
        return status;
    }
    sp_buf_fini(body);
    *body = plain;
    entry->packed = false;
    return SP_OK;
}

enum sp_status sp_rocks_entry_decode(const struct sp_store_codec *codec,
                                     struct sp_rocks_entry *entry, struct sp_error *reterr)
{
    struct sp_append *append = entry->append;
    struct sp_error error = {0};
    enum sp_status status = entry->packed ? unpack(entry, &error) : SP_OK;
    if (status == SP_OK)
        status = codec->decode(codec->cookie, append->format, append->encoding,
                               sp_buf_slice(&append->body), &append->plain, &append->arena,
                               &append->batch, &error);
    if (status != SP_OK)
        return sp_error_set(reterr, status == SP_NO_MEMORY ? SP_NO_MEMORY : SP_CORRUPT,
                            "journal record %llu cannot be read: %s",
                            (unsigned long long)entry->sequence, error.message);
    entry->bytes = append->body.cap + append->plain.cap + append->arena.used_bytes;
    return SP_OK;
}
