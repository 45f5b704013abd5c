/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/bench/corpus.h: requests to measure with, without an end: those of `spoor load`, or of a recording (tests/support/recording.h), round after
 * round with other ids and later times. One for the process; linked with cmd/load_generate.c. */
#pragma once

#include "lib/model/model.h"

/* "synthetic", or the file of a recording. Ends the process with a message if there is none. */
void corpus_open(const char *path);
/* The next request, decoded; of the arena. */
const struct sp_batch *corpus_next(struct sp_arena *arena);
