/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rocks_survey.c: every span that satisfies conditions, block by block. The blocks of all parts are one list, and each
 * surveyor's thread takes the next: so none waits for another. Knows the database through kv.h only. */
#include "storage/rocks_view.h"
#include "storage/sheet.h"

/* A block of a part. */
struct piece {
    uint32_t part, block;
};

struct surveying {
    const struct sp_rocks_view *view;
    const struct sp_scan *scan;
    const struct sp_stop *stop; /* asked by the caller's thread only */
    SP_VECTOR(struct piece) pieces;
    _Atomic uint32_t next; /* of the pieces */
    _Atomic bool ended;    /* somebody failed, or was stopped */
};

/* One surveyor's thread. */
struct surveyor_thread {
    struct surveying *surveying;
    const struct sp_surveyor *surveyor;
    bool is_caller;
    struct sp_part_cursor cursor; /* of the part at hand */
    uint32_t part;                /* its number, plus 1; 0: none */
    struct sp_block_match match;
    struct sp_block_sheet sheet;
    struct sp_scanned scanned;
    enum sp_status status;
    struct sp_error error;
    pthread_t thread;
    bool runs;
};

static enum sp_status load_all(void *cookie, struct sp_error *reterr)
{
    return sp_part_cursor_all(cookie, reterr);
}

static void leave_part(struct surveyor_thread *own)
{
    if (own->part == 0)
        return;
    own->scanned.bytes += own->cursor.reader.bytes;
    sp_part_cursor_fini(&own->cursor);
    own->part = 0;
}

static enum sp_status enter_part(struct surveyor_thread *own, uint32_t part)
{
    const struct sp_rocks_view *view = own->surveying->view;
    if (own->part == part + 1)
        return SP_OK;
    leave_part(own);
    enum sp_status status =
        sp_part_cursor_init(&own->cursor, &view->parts[part], view, &own->error);
    if (status == SP_OK)
        own->part = part + 1;
    else
        sp_part_cursor_fini(&own->cursor);
    return status;
}

static enum sp_status look_at(struct surveyor_thread *own, const struct piece *piece)
{
    struct sp_block_view view;
    enum sp_status status = enter_part(own, piece->part);
    if (status == SP_OK)
        status = sp_part_cursor_open(&own->cursor, piece->block, &own->error);
    if (status != SP_OK)
        return status;
    sp_part_cursor_view(&own->cursor, &view);
    own->scanned.rows += view.block->tables[SP_BLOCK_SPANS].count;
    status = sp_block_match_run(&own->match, &view, &own->error);
    if (status != SP_OK || own->match.share == SP_SHARE_NONE)
        return status;
    status = sp_block_sheet_open(&own->sheet, &view, &own->match, &own->error);
    own->sheet.load_all = load_all;
    own->sheet.cookie = &own->cursor;
    if (status == SP_OK)
        status = own->surveyor->visit(own->surveyor->cookie, &own->sheet.sheet, &own->error);
    return status;
}

static void *run(void *cookie)
{
    struct surveyor_thread *own = cookie;
    struct surveying *surveying = own->surveying;
    sp_block_sheet_init(&own->sheet);
    own->status = sp_block_match_init(&own->match, surveying->scan, &own->error);
    while (own->status == SP_OK && !atomic_load(&surveying->ended)) {
        uint32_t next = atomic_fetch_add(&surveying->next, 1);
        if (next >= surveying->pieces.count)
            break;
        if (own->is_caller)
            own->status = sp_stop_ask(surveying->stop, &own->error);
        if (own->status == SP_OK)
            own->status = look_at(own, &surveying->pieces.items[next]);
    }
    if (own->status != SP_OK)
        atomic_store(&surveying->ended, true);
    leave_part(own);
    sp_block_match_fini(&own->match);
    sp_block_sheet_fini(&own->sheet);
    return NULL;
}

/* The blocks with a span in range, as far as their first and last starts tell; part by part, so that a thread stays with one. */
static enum sp_status list_pieces(struct surveying *surveying, struct sp_scanned *scanned,
                                  struct sp_error *reterr)
{
    const struct sp_rocks_view *view = surveying->view;
    for (uint32_t p = 0; p < view->part_count; p++) {
        const struct sp_rocks_part *part = &view->parts[p];
        const struct sp_part_cursor cursor = {.part = part};
        uint32_t count = part->segment != NULL ? part->segment->block_count : 1;
        bool any = false;
        for (uint32_t b = 0; b < count; b++) {
            struct sp_segment_block info = sp_part_cursor_info(&cursor, b);
            if (!sp_rocks_overlaps(surveying->scan->range, info.start_min_unix_ns,
                                   info.start_max_unix_ns))
                continue;
            any = true;
            if (!sp_vector_push(&surveying->pieces, ((struct piece){p, b})))
                return sp_error_set(reterr, SP_NO_MEMORY, "no memory to read the store");
        }
        scanned->segments += any;
    }
    return SP_OK;
}

/* The caller is the first thread; if another cannot be started, there are fewer. */
static enum sp_status survey_pieces(struct surveying *surveying,
                                    const struct sp_surveyor *surveyors, uint32_t surveyor_count,
                                    struct sp_scanned *scanned, struct sp_error *reterr)
{
    struct surveyor_thread *threads = calloc((size_t)surveyor_count + 1, sizeof(*threads));
    if (threads == NULL)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to read the store");
    for (uint32_t i = 0; i < surveyor_count; i++) {
        threads[i].surveying = surveying;
        threads[i].surveyor = &surveyors[i];
        threads[i].is_caller = i == 0;
        if (i > 0 && i < surveying->pieces.count)
            threads[i].runs = pthread_create(&threads[i].thread, NULL, run, &threads[i]) == 0;
    }
    run(&threads[0]);
    enum sp_status status = SP_OK;
    for (uint32_t i = 0; i < surveyor_count; i++) {
        if (threads[i].runs)
            pthread_join(threads[i].thread, NULL);
        scanned->rows += threads[i].scanned.rows;
        scanned->bytes += threads[i].scanned.bytes;
        if (status == SP_OK && threads[i].status != SP_OK) {
            status = threads[i].status;
            if (reterr != NULL)
                *reterr = threads[i].error;
        }
    }
    free(threads);
    return status;
}

enum sp_status sp_rocks_survey(struct sp_store *store, const struct sp_scan *scan,
                               const struct sp_surveyor *surveyors, uint32_t surveyor_count,
                               const struct sp_stop *stop, struct sp_scanned *ret_scanned,
                               struct sp_error *reterr)
{
    struct sp_rocks_view view;
    *ret_scanned = (struct sp_scanned){0};
    enum sp_status status = sp_rocks_view_open(sp_rocks_of(store), &view, reterr);
    if (status != SP_OK)
        return status;
    status = sp_rocks_view_flatten(&view, reterr);
    struct surveying surveying = {.view = &view, .scan = scan, .stop = stop};
    if (status == SP_OK)
        status = list_pieces(&surveying, ret_scanned, reterr);
    if (status == SP_OK)
        status = survey_pieces(&surveying, surveyors, surveyor_count, ret_scanned, reterr);
    sp_vector_fini(&surveying.pieces);
    sp_rocks_view_close(&view);
    return status;
}
