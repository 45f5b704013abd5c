/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rocks_mix.c: rows of several inputs, each sorted by trace, become the blocks of one segment. Knows neither where the
 * inputs come from nor when the segment is written. */
#include "storage/rocks_rollup.h"

struct input {
    const struct sp_block *block; /* the present one; NULL: at its end */
    struct sp_block_source *source;
    uint32_t trace; /* the next one */
};

struct mixing {
    const struct sp_rocks_mix *mix;
    struct input *inputs; /* in the order that rows of one trace keep */
    /* Of each input: the first half of the id of its next trace, so that the rest is hardly ever looked at; at its end, the largest. */
    uint64_t *keys;
    struct sp_block_pool *pool;
};

static enum sp_status flush_block(const struct sp_rocks_mix *mix, struct sp_error *reterr)
{
    struct sp_block block;
    if (sp_block_builder_rows(mix->builder) == 0)
        return SP_OK;
    enum sp_status status = sp_block_builder_view(mix->builder, &block, reterr);
    if (status == SP_OK)
        status = sp_segment_writer_add(mix->writer, &block, reterr);
    if (status == SP_OK && mix->rollups != NULL)
        status = sp_rocks_rollups_add_block(mix->rollups, &block, reterr);
    if (status == SP_OK && mix->counts != NULL)
        status = sp_rollup_add_block(mix->counts, &block, reterr);
    if (status == SP_OK)
        status = mix->added(mix->cookie, &block, reterr);
    sp_block_builder_reset(mix->builder);
    return status;
}

static void set_key(struct mixing *mixing, uint32_t number)
{
    const struct input *input = &mixing->inputs[number];
    mixing->keys[number] = input->block == NULL
                               ? UINT64_MAX
                               : sp_trace_id_half(&input->block->trace_ids[input->trace], 0);
}

/* Puts the next block of an input in place. */
static enum sp_status advance(struct mixing *mixing, uint32_t number, struct sp_error *reterr)
{
    struct input *input = &mixing->inputs[number];
    sp_block_source_free(input->source);
    *input = (struct input){0};
    enum sp_status status = mixing->mix->next(mixing->mix->cookie, number, &input->block, reterr);
    if (status == SP_OK && input->block != NULL)
        status = sp_block_source_new(mixing->pool, input->block, &input->source, reterr);
    return status;
}

static bool is_next(const struct mixing *mixing, uint32_t number, uint64_t key,
                    const struct sp_trace_id *id)
{
    const struct input *input = &mixing->inputs[number];
    return mixing->keys[number] == key && input->block != NULL &&
           sp_trace_id_compare(&input->block->trace_ids[input->trace], id) == 0;
}

/* The smallest trace id that is next anywhere; NULL when all inputs are at their end. */
static const struct sp_trace_id *next_trace(const struct mixing *mixing)
{
    const struct sp_trace_id *smallest = NULL;
    uint64_t key = UINT64_MAX;
    for (uint32_t i = 0; i < mixing->mix->input_count; i++)
        key = mixing->keys[i] < key ? mixing->keys[i] : key;
    for (uint32_t i = 0; i < mixing->mix->input_count; i++) {
        const struct input *input = &mixing->inputs[i];
        if (mixing->keys[i] != key || input->block == NULL)
            continue;
        const struct sp_trace_id *id = &input->block->trace_ids[input->trace];
        if (smallest == NULL || sp_trace_id_compare(id, smallest) < 0)
            smallest = id;
    }
    return smallest;
}

/* The rows of the next trace of an input's block. */
static enum sp_status add_rows(struct mixing *mixing, uint32_t number, const struct sp_trace_id *id,
                               struct sp_error *reterr)
{
    struct input *input = &mixing->inputs[number];
    uint32_t count =
        input->block->trace_rows[input->trace + 1] - input->block->trace_rows[input->trace];
    input->trace++;
    while (count > 0) {
        uint32_t taken;
        enum sp_status status = sp_block_builder_add_rows(mixing->mix->builder, input->source, id,
                                                          count, &taken, reterr);
        count -= status == SP_OK ? taken : 0;
        if (status == SP_OK && sp_block_builder_is_full(mixing->mix->builder))
            status = flush_block(mixing->mix, reterr);
        if (status != SP_OK)
            return status;
    }
    enum sp_status status =
        input->trace == input->block->trace_count ? advance(mixing, number, reterr) : SP_OK;
    set_key(mixing, number);
    return status;
}

static enum sp_status mix_all(struct mixing *mixing, struct sp_error *reterr)
{
    enum sp_status status = SP_OK;
    const struct sp_trace_id *next;
    for (uint32_t i = 0; i < mixing->mix->input_count && status == SP_OK; i++) {
        status = advance(mixing, i, reterr);
        set_key(mixing, i);
    }
    while (status == SP_OK && (next = next_trace(mixing)) != NULL) {
        const struct sp_trace_id id = *next;
        uint64_t key = sp_trace_id_half(&id, 0);
        for (uint32_t i = 0; i < mixing->mix->input_count && status == SP_OK; i++) {
            /* A trace with very many spans goes on in the next block. */
            while (status == SP_OK && is_next(mixing, i, key, &id))
                status = add_rows(mixing, i, &id, reterr);
        }
    }
    return status == SP_OK ? flush_block(mixing->mix, reterr) : status;
}

enum sp_status sp_rocks_mix(const struct sp_rocks_mix *mix, struct sp_error *reterr)
{
    struct mixing mixing = {.mix = mix,
                            .inputs = calloc((size_t)mix->input_count + 1, sizeof(*mixing.inputs)),
                            .keys = calloc((size_t)mix->input_count + 1, sizeof(*mixing.keys))};
    if (mixing.inputs == NULL || mixing.keys == NULL) {
        free(mixing.inputs);
        free(mixing.keys);
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to put blocks together");
    }
    sp_block_builder_reset(mix->builder);
    enum sp_status status = sp_block_pool_new(&mixing.pool, reterr);
    if (status == SP_OK)
        status = mix_all(&mixing, reterr);
    sp_block_builder_reset(mix->builder); /* it may have texts of the pool */
    for (uint32_t i = 0; i < mix->input_count; i++)
        sp_block_source_free(mixing.inputs[i].source);
    sp_block_pool_free(mixing.pool);
    free(mixing.inputs);
    free(mixing.keys);
    return status;
}
