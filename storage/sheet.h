/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/sheet.h: what is behind struct sp_sheet: of spans at hand (sheet_spans.c) and of a block (sheet_block.c). Internal to
 * storage/. Knows neither disks nor engines. */
#pragma once

#include "storage/block_match.h"

/* As the functions of the contract, which call these. */
struct sp_sheet_ops {
    enum sp_status (*templates)(struct sp_sheet *sheet, const uint32_t **ret,
                                struct sp_error *reterr);
    enum sp_status (*starts)(struct sp_sheet *sheet, const uint64_t **ret, struct sp_error *reterr);
    enum sp_status (*durations)(struct sp_sheet *sheet, const uint64_t **ret,
                                struct sp_error *reterr);
    enum sp_status (*spans)(struct sp_sheet *sheet, const struct sp_span **ret,
                            struct sp_error *reterr);
    enum sp_status (*trace_id)(struct sp_sheet *sheet, uint32_t row, struct sp_trace_id *ret,
                               struct sp_error *reterr);
    enum sp_status (*span_id)(struct sp_sheet *sheet, uint32_t row, struct sp_span_id *ret,
                              struct sp_error *reterr);
    enum sp_status (*column)(struct sp_sheet *sheet, const struct sp_sheet_field *field,
                             struct sp_sheet_column *ret, struct sp_error *reterr);
};

/* A block as a sheet: one after the other with the same arenas. */
struct sp_block_sheet {
    struct sp_sheet sheet; /* its first member */
    struct sp_block_view *view;
    /* Loads all of the block, as for sp_block_spans. NULL: all is there. */
    enum sp_status (*load_all)(void *cookie, struct sp_error *reterr);
    void *cookie;
    struct sp_arena arena; /* of what was asked of the present block */
    const uint64_t *durations;
    const struct sp_span *spans;
};

void sp_block_sheet_init(struct sp_block_sheet *sheet);
void sp_block_sheet_fini(struct sp_block_sheet *sheet);
/* The rows of a block that matched in the last run: at least one. view stays valid as long as the sheet is looked at. */
SP_MUST_USE enum sp_status sp_block_sheet_open(struct sp_block_sheet *sheet,
                                               struct sp_block_view *view,
                                               const struct sp_block_match *match,
                                               struct sp_error *reterr);
