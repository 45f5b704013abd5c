/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/contract/broken.h: a store of which a write has failed, so that it has to be opened again. For programs that are linked with
 * sp_disk_fault_dep, and watch the data directory from before the store is opened. */
#pragma once

#include "tests/contract/fixture.h"

/* One write of the journal fails. Then the disk is well again, and the store is not. */
void break_store(struct fixture *fixture);
/* Until a read that comes from elsewhere is refused: this thread is within a read, and the store waits for it. */
void wait_until_shut(struct fixture *fixture);

/* Appends one span, of a trace of its own; again and again, until it is taken: the store is open again. */
enum sp_status try_append(struct fixture *fixture);
void append_again(struct fixture *fixture);

/* Reads trace 1; on a thread of its own. */
enum sp_status read_trace(struct sp_store *store);
enum sp_status read_trace_elsewhere(struct sp_store *store);

/* A scan of everything, that calls within() at its first candidate. How many it has visited. */
uint64_t within_scan(struct fixture *fixture, void (*within)(struct fixture *fixture));
