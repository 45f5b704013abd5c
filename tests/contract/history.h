/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/contract/history.h: random histories on both engines at once: appends that come early, late or twice, seals, merges, reads,
 * restarts, disks that fail and come back, and crashes; whatever is asked, both must answer the same. The same seed is the same
 * history, although not the same interleaving of the store's threads. Used by test_history.c and by the fuzz target of that name. */
#pragma once

#include <stdint.h>

/* Runs one within a test of check, which fails where the engines differ; it stands in the record (record.h), made before. */
void history_run(uint64_t seed);
