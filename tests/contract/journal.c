/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/journal.h"

#include "storage/layout.h"

#include <stdio.h>

struct sp_kv *journal_open(const struct fixture *fixture)
{
    struct sp_kv *kv;
    char path[256];
    snprintf(path, sizeof(path), "%s/db", fixture->data_dir);
    ck_assert_int_eq(sp_kv_open(path, false, &kv, NULL), SP_OK);
    return kv;
}

void journal_put(struct sp_kv *kv, uint64_t sequence, const struct sp_append *append)
{
    struct sp_kv_batch *batch = sp_kv_batch_new();
    struct sp_buf head;
    struct sp_layout_key key = sp_layout_journal_key(sequence);
    sp_buf_init(&head, 4096);
    sp_layout_journal_head_write(append, false, &head);
    sp_kv_batch_put2(batch, kv, SP_KV_JOURNAL, sp_layout_key_slice(&key), sp_buf_slice(&head),
                     sp_buf_slice(&append->body));
    ck_assert_int_eq(sp_kv_write(kv, batch, false, NULL), SP_OK);
    sp_buf_fini(&head);
    sp_kv_batch_free(batch);
}
