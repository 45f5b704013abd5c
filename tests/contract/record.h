/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/contract/record.h: what a random history has done so far, in memory that the process shares with the one that runs its
 * tests: that one prints it when the history has failed. One history at a time. */
#pragma once

#include "lib/base/base.h"

void record_init(void); /* before the process forks */
void record_begin(void);
SP_PRINTF(1, 2) void record_note(const char *format, ...); /* what no longer fits is left out */
void record_end(void);

/* Prints the record of a history that was begun and has not ended, once, as a comment of TAP; otherwise nothing. */
void record_print(void);
