/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/block_count.h: what storage/catalogue.h counts span by span, for the rows of a block that start in a range, without
 * making spans. The tallies are the same in the end. Internal to storage/. Knows neither disks nor engines.
 *
 * Errors: those of the tally, and of loading; SP_NO_MEMORY; SP_CORRUPT: a packed value is not one. */
#pragma once

#include "storage/block_view.h"
#include "storage/catalogue.h"

SP_MUST_USE enum sp_status sp_block_count_operations(struct sp_block_view *view,
                                                     struct sp_time_range range,
                                                     const struct sp_operation_filter *filter,
                                                     bool with_latency, struct sp_tally *tally,
                                                     struct sp_error *reterr);

/* *next_mark: not 0; above all marks of the tally; it moves on. */
SP_MUST_USE enum sp_status sp_block_count_keys(struct sp_block_view *view,
                                               struct sp_time_range range, uint32_t scopes,
                                               struct sp_slice prefix, uint64_t *next_mark,
                                               struct sp_tally *tally, struct sp_error *reterr);
SP_MUST_USE enum sp_status sp_block_count_values(struct sp_block_view *view,
                                                 struct sp_time_range range,
                                                 const struct sp_value_filter *filter,
                                                 uint64_t *next_mark, struct sp_tally *tally,
                                                 struct sp_error *reterr);
