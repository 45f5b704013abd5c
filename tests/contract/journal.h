/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/contract/journal.h: a data directory as a server leaves it that was killed: acked requests in the journal. */
#pragma once

#include "storage/kv.h"
#include "tests/contract/fixture.h"

/* The database of a fixture whose store is closed; close it with sp_kv_close. */
struct sp_kv *journal_open(const struct fixture *fixture);

/* Puts a request into the journal, as the store does that acks it. */
void journal_put(struct sp_kv *kv, uint64_t sequence, const struct sp_append *append);
