/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/known.c: filters over many segments. Knows no database and no lock. */
#include "storage/known.h"

static void free_part(struct sp_known_part *part)
{
    free(part->words);
}

void sp_known_fini(struct sp_known *known)
{
    for (uint32_t i = 0; i < known->parts.count; i++)
        free_part(&known->parts.items[i]);
    sp_vector_fini(&known->parts);
    *known = (struct sp_known){0};
}

/* Twice as large as its neighbour, and never too small. */
static uint32_t room_for(const struct sp_known_part *neighbour, size_t count)
{
    uint32_t room = SP_KNOWN_TRACES_MIN;
    if (neighbour != NULL)
        room = neighbour->trace_max < SP_KNOWN_TRACES_MAX / 2 ? neighbour->trace_max * 2
                                                              : SP_KNOWN_TRACES_MAX;
    return count > room ? (uint32_t)count : room;
}

static bool new_part(struct sp_known_part *part, uint32_t trace_max)
{
    uint32_t block_count = sp_filter_block_count(trace_max, SP_KNOWN_BITS_PER_TRACE);
    uint32_t *words = calloc(block_count, SP_FILTER_BLOCK_BYTES);
    *part = (struct sp_known_part){.trace_max = trace_max,
                                   .words = words,
                                   .filter = {.words = words, .block_count = block_count}};
    return words != NULL;
}

/* At one end of the list, for so many traces of a segment there. NULL: no memory. */
static struct sp_known_part *part_for(struct sp_known *known, bool behind, size_t count)
{
    struct sp_known_part *end = NULL;
    struct sp_known_part made;
    if (known->parts.count > 0)
        end = &known->parts.items[behind ? known->parts.count - 1 : 0];
    if (end != NULL && end->trace_max - end->trace_count >= count)
        return end;
    if (count > UINT32_MAX || !new_part(&made, room_for(end, count)))
        return NULL;
    if (!sp_vector_reserve(&known->parts, 1)) {
        free_part(&made);
        return NULL;
    }
    struct sp_known_part *place = known->parts.items + (behind ? known->parts.count : 0);
    memmove(place + 1, place,
            (size_t)(known->parts.items + known->parts.count - place) * sizeof(*place));
    known->parts.count++;
    *place = made;
    return place;
}

bool sp_known_add(struct sp_known *known, struct sp_sequences segment, const uint64_t *hashes,
                  size_t count)
{
    uint32_t part_count = known->parts.count;
    bool behind =
        part_count == 0 || segment.first > known->parts.items[part_count - 1].sequences.last;
    SP_ASSERT(behind || segment.first < known->parts.items[0].sequences.first);
    struct sp_known_part *part = part_for(known, behind, count);
    if (part == NULL)
        return false;
    if (known->parts.count > part_count) /* the part is new */
        part->sequences = segment;
    else if (behind)
        part->sequences.last = segment.last;
    else
        part->sequences.first = segment.first;
    sp_filter_add(part->words, part->filter.block_count, hashes, count);
    part->trace_count += (uint32_t)count;
    return true;
}

static bool lies_within(struct sp_sequences segment, uint64_t first, uint64_t last)
{
    return segment.first >= first && segment.last <= last;
}

bool sp_known_covers(const struct sp_known *known, struct sp_sequences segment)
{
    const struct sp_known_part *parts = known->parts.items;
    uint32_t count = known->parts.count;
    return count > 0 &&
           lies_within(segment, parts[0].sequences.first, parts[count - 1].sequences.last);
}

void sp_known_forget(struct sp_known *known, uint64_t below)
{
    uint32_t gone = 0;
    while (gone < known->parts.count && known->parts.items[gone].sequences.last < below)
        free_part(&known->parts.items[gone++]);
    if (gone == 0)
        return;
    known->parts.count -= gone;
    memmove(known->parts.items, known->parts.items + gone,
            known->parts.count * sizeof(*known->parts.items));
}

/* ---- questions ---- */

static bool ask_part(struct sp_known_question *question, const struct sp_known_part *part)
{
    struct sp_known_answer answer = {.sequences = part->sequences};
    answer.count =
        sp_filter_select(&part->filter, question->hashes, question->count, question->scratch);
    answer.numbers = calloc(answer.count + 1, sizeof(*answer.numbers));
    if (answer.numbers == NULL)
        return false;
    memcpy(answer.numbers, question->scratch, answer.count * sizeof(*answer.numbers));
    question->answers.items[question->answers.count++] = answer;
    return true;
}

bool sp_known_ask(const struct sp_known *known, const struct sp_trace_id *ids, size_t count,
                  struct sp_known_question *ret)
{
    struct sp_known_question question = {.count = count};
    question.hashes = calloc(count + 1, sizeof(*question.hashes));
    question.scratch = calloc(count + 1, sizeof(*question.scratch));
    question.spare = calloc(count + 1, sizeof(*question.spare));
    bool fits = question.hashes != NULL && question.scratch != NULL && question.spare != NULL &&
                count <= UINT32_MAX && sp_vector_reserve(&question.answers, known->parts.count);
    for (size_t i = 0; i < count && fits; i++)
        question.hashes[i] = sp_filter_hash(&ids[i]);
    for (uint32_t i = 0; i < known->parts.count && fits; i++)
        fits = ask_part(&question, &known->parts.items[i]);
    if (fits)
        *ret = question;
    else
        sp_known_question_fini(&question);
    return fits;
}

void sp_known_question_fini(struct sp_known_question *question)
{
    for (uint32_t i = 0; i < question->answers.count; i++)
        free(question->answers.items[i].numbers);
    sp_vector_fini(&question->answers);
    free(question->scratch);
    free(question->spare);
    free(question->hashes);
    *question = (struct sp_known_question){0};
}

static bool covers(const struct sp_known_question *question, struct sp_sequences segment)
{
    const struct sp_known_answer *answers = question->answers.items;
    uint32_t count = question->answers.count;
    return count > 0 &&
           lies_within(segment, answers[0].sequences.first, answers[count - 1].sequences.last);
}

/* Ascending ones and those of an answer that the filter has, too: together in the other half of the scratch memory, which becomes the
 * first. Returns how many they are. */
static size_t add_answer(struct sp_known_question *question, const struct sp_known_answer *answer,
                         const struct sp_filter *filter, size_t count)
{
    const uint32_t *old = question->scratch;
    uint32_t *both = question->spare;
    size_t taken = 0;
    size_t both_count = 0;
    for (size_t i = 0; i < answer->count; i++) {
        uint32_t number = answer->numbers[i];
        if (!sp_filter_has(filter, question->hashes[number]))
            continue;
        while (taken < count && old[taken] < number)
            both[both_count++] = old[taken++];
        if (taken == count || old[taken] != number)
            both[both_count++] = number;
    }
    memcpy(both + both_count, old + taken, (count - taken) * sizeof(*both));
    question->spare = question->scratch;
    question->scratch = both;
    return both_count + count - taken;
}

const uint32_t *sp_known_numbers(struct sp_known_question *question, struct sp_sequences segment,
                                 const struct sp_filter *filter, size_t *ret_count)
{
    *ret_count = 0;
    if (!covers(question, segment)) {
        *ret_count = sp_filter_select(filter, question->hashes, question->count, question->scratch);
        return question->scratch;
    }
    for (uint32_t i = 0; i < question->answers.count; i++) {
        const struct sp_known_answer *answer = &question->answers.items[i];
        if (segment.first <= answer->sequences.last && segment.last >= answer->sequences.first)
            *ret_count = add_answer(question, answer, filter, *ret_count);
    }
    return question->scratch;
}
