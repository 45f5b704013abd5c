/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/support/old_formats.h: values of the database as older versions wrote them, made from what is written now. All append to out, and
 * abort when bytes are not what they should be. */
#pragma once

#include "lib/base/base.h"

/* Counts of a segment, before rows had exemplars (format 1). */
void sp_rollup_as_format_1(struct sp_slice bytes, struct sp_buf *out);

/* Calls of a segment, before brokers had a node for each destination. All spans that have a destination have a system, too. */
void sp_edges_named_by_system(struct sp_slice bytes, struct sp_buf *out);

/* The header of a segment: 5, before it said how its brokers are named; 4, before it knew its values. */
void sp_header_as_version(uint8_t version, uint64_t segment_id, struct sp_slice header,
                          struct sp_buf *out);
