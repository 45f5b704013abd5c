/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd/answer.c: see cmd/answer.h. */
#include "cmd/answer.h"

static const struct sp_answer empty = {.kind = SP_JSON_NULL};

/* A container that is being read. */
struct level {
    struct sp_answer *container;
    struct sp_answer **end; /* where the next child goes */
};

struct reading {
    struct sp_json_reader r;
    struct sp_arena *arena;
    struct level levels[SP_ANSWER_DEPTH_MAX];
    uint32_t depth;
    struct sp_slice key;
};

static struct sp_answer *add(struct reading *reading, enum sp_json_event kind)
{
    struct sp_answer *node = sp_arena_calloc(reading->arena, 1, sizeof(*node));
    if (!node)
        return NULL;
    node->kind = kind;
    node->key = reading->key;
    reading->key = (struct sp_slice){0};
    if (kind == SP_JSON_STRING || kind == SP_JSON_NUMBER)
        node->text = reading->r.text;
    if (reading->depth > 0) {
        struct level *level = &reading->levels[reading->depth - 1];
        *level->end = node;
        level->end = &node->next;
        level->container->count++;
    }
    return node;
}

static bool take(struct reading *reading, enum sp_json_event event, struct sp_answer **root)
{
    struct sp_answer *node = add(reading, event);
    if (!node)
        return false;
    if (*root == NULL)
        *root = node;
    if (event == SP_JSON_OBJECT_BEGIN || event == SP_JSON_ARRAY_BEGIN)
        reading->levels[reading->depth++] = (struct level){node, &node->first};
    return true;
}

enum sp_status sp_answer_read(struct sp_slice body, struct sp_arena *arena,
                              const struct sp_answer **ret, struct sp_error *reterr)
{
    struct reading reading = {.arena = arena};
    struct sp_answer *root = NULL;
    sp_json_reader_init(&reading.r, body, arena, SP_ANSWER_DEPTH_MAX);
    for (;;) {
        enum sp_json_event event = sp_json_next(&reading.r);
        if (event == SP_JSON_END)
            break;
        if (event == SP_JSON_ERROR) {
            *reterr = reading.r.error;
            return reterr->status;
        }
        if (event == SP_JSON_KEY)
            reading.key = reading.r.text;
        else if (event == SP_JSON_OBJECT_END || event == SP_JSON_ARRAY_END)
            reading.depth--;
        else if (!take(&reading, event, &root))
            return sp_arena_failed(arena, reterr, "the answer is too large");
    }
    *ret = root;
    return SP_OK;
}

static const struct sp_answer *member(const struct sp_answer *answer, struct sp_slice key)
{
    for (const struct sp_answer *at = answer->first; at != NULL; at = at->next)
        if (sp_slice_equal(at->key, key))
            return at;
    return &empty;
}

const struct sp_answer *sp_answer_at(const struct sp_answer *answer, const char *path)
{
    struct sp_slice rest = sp_slice_cstr(path);
    while (rest.len > 0) {
        size_t dot = sp_slice_find(rest, '.');
        answer = member(answer, sp_slice_sub(rest, 0, dot));
        rest = sp_slice_sub(rest, dot + 1, rest.len);
    }
    return answer;
}

struct sp_slice sp_answer_text(const struct sp_answer *answer, const char *path)
{
    return sp_answer_at(answer, path)->text;
}

uint64_t sp_answer_u64(const struct sp_answer *answer, const char *path)
{
    uint64_t number;
    return sp_parse_u64(sp_answer_text(answer, path), &number) ? number : 0;
}

uint64_t sp_answer_total(const struct sp_answer *answer, const char *path)
{
    const struct sp_answer *at = sp_answer_at(answer, path);
    uint64_t sum = at->count == 0 ? sp_answer_u64(at, "") : 0;
    for (const struct sp_answer *item = at->first; item != NULL; item = item->next)
        sum += sp_answer_u64(item, "");
    return sum;
}

double sp_answer_double(const struct sp_answer *answer, const char *path)
{
    double number;
    return sp_parse_double(sp_answer_text(answer, path), &number) ? number : 0;
}

bool sp_answer_is_true(const struct sp_answer *answer, const char *path)
{
    return sp_answer_at(answer, path)->kind == SP_JSON_TRUE;
}
