/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/contract/answers_trimmed.h: see answers_trimmed.c. */
#pragma once

#include "storage/storage.h"

/* Reads these traces, ascending, and a few of them: with some attributes and the status message, and with nothing but what every span
 * has. Compares with a read of everything, and writes down what came. The same for how long they are. */
void describe_trimmed(struct sp_store *store, const struct sp_trace_id *ids, size_t count,
                      const struct sp_slice *keys, uint32_t key_count, struct sp_buf *out);
