/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/contract/history_doubt.c: what is in doubt in a random history after a crash or a failed call: one request and one removal at
 * most. The answers of the store that is open again tell what became of them; of two appends of the same batch they do not tell which
 * is gone, so that is a guess, which a later removal may correct. */
#include "tests/contract/history_parts.h"

/* ---- what became of it ---- */

/* What may have become of it. */
struct outcome {
    bool append_is_there;
    size_t first, end; /* of appends that are gone; some of them may have gone before */
};

static uint64_t outcome_spans(const struct history *history, const struct outcome *outcome)
{
    uint64_t spans = outcome->append_is_there ? history->doubt.append.batch->span_count : 0;
    for (size_t i = 0; i < history->append_count; i++) {
        if (!history->appends[i].is_removed && (i < outcome->first || i >= outcome->end))
            spans += history->appends[i].batch->span_count;
    }
    return spans;
}

static bool may_be_gone(const struct history *history, size_t index)
{
    const struct history_doubt *doubt = &history->doubt;
    const struct history_append *append = &history->appends[index];
    return history_is_between(append, doubt->removed_first, doubt->removed_last) &&
           (doubt->cutoff_unix_ns == UINT64_MAX || history_is_old(append, doubt->cutoff_unix_ns));
}

static void describe_outcome(const struct history *history, const struct outcome *outcome,
                             struct sp_buf *out)
{
    struct fixture fixture;
    fixture_make(&fixture, ENGINE_REFERENCE, true);
    fixture_open(&fixture);
    for (size_t i = 0; i < history->append_count; i++) {
        append(&fixture, history->appends[i].batch);
        if (history->appends[i].is_removed || (i >= outcome->first && i < outcome->end))
            sp_store_reference_remove(fixture.store, i + 1, i + 1);
    }
    if (outcome->append_is_there)
        append(&fixture, history->doubt.append.batch);
    describe_answers(fixture.store, SP_TIME_RANGE_ALL, out);
    fixture_fini(&fixture);
}

/* Whether it is that. An exemplar may be any of several, and is not told; so equal answers are enough. */
static bool is_outcome(const struct history *history, const struct outcome *outcome,
                       uint64_t span_count, const struct sp_buf *answers)
{
    struct sp_buf wanted;
    if (outcome_spans(history, outcome) != span_count)
        return false;
    sp_buf_init(&wanted, SIZE_MAX / 2);
    describe_outcome(history, outcome, &wanted);
    bool equal = sp_slice_equal(sp_buf_slice(&wanted), sp_buf_slice(answers));
    sp_buf_fini(&wanted);
    return equal;
}

/* Nothing between first and end is there that was too young to go. */
static bool may_all_be_gone(const struct history *history, size_t first, size_t end)
{
    for (size_t i = first; i < end; i++) {
        if (!history->appends[i].is_removed && !may_be_gone(history, i))
            return false;
    }
    return true;
}

/* Of a segment that is known. */
static bool whole_is_gone(const struct history *history, uint64_t span_count,
                          const struct sp_buf *answers, struct outcome *ret)
{
    const struct history_doubt *doubt = &history->doubt;
    size_t count = history->append_count;
    ret->first = 0;
    while (ret->first < count && history->appends[ret->first].number < doubt->removed_first)
        ret->first++;
    ret->end = ret->first;
    while (ret->end < count && history->appends[ret->end].number <= doubt->removed_last)
        ret->end++;
    return is_outcome(history, ret, span_count, answers);
}

/* Of a segment that is not known: any that there may have been. */
static bool any_is_gone(const struct history *history, uint64_t span_count,
                        const struct sp_buf *answers, struct outcome *ret)
{
    size_t count = history->append_count;
    for (ret->first = 0; ret->first < count; ret->first++) {
        if (history->appends[ret->first].is_removed)
            continue;
        for (ret->end = ret->first + 1;
             ret->end <= count && may_all_be_gone(history, ret->first, ret->end); ret->end++) {
            if (!history->appends[ret->end - 1].is_removed &&
                is_outcome(history, ret, span_count, answers))
                return true;
        }
    }
    return false;
}

static bool find_outcome(const struct history *history, uint64_t span_count,
                         const struct sp_buf *answers, struct outcome *ret)
{
    const struct history_doubt *doubt = &history->doubt;
    bool was_written = doubt->append.batch != NULL && doubt->append.number > 0;
    for (int there = 0; there <= was_written; there++) {
        *ret = (struct outcome){.append_is_there = there};
        if (is_outcome(history, ret, span_count, answers))
            return true;
        if (doubt->removed_last == 0)
            continue;
        if (doubt->removed_whole ? whole_is_gone(history, span_count, answers, ret)
                                 : any_is_gone(history, span_count, answers, ret))
            return true;
    }
    return false;
}

/* Of the same batch there are some that went and some that may have gone instead. */
static void note_guesses(struct history *history, const struct sp_batch *batch,
                         const bool was_removed[])
{
    bool one_stays = false;
    for (size_t i = 0; i < history->append_count; i++)
        one_stays |= history->appends[i].batch == batch && !history->appends[i].is_removed &&
                     may_be_gone(history, i);
    for (size_t i = 0; i < history->append_count && one_stays; i++) {
        if (history->appends[i].batch == batch && !was_removed[i] && may_be_gone(history, i))
            history->appends[i].is_guess = true;
    }
}

static void take_outcome(struct history *history, const struct outcome *outcome)
{
    bool was_removed[HISTORY_APPENDS_MAX];
    for (size_t i = 0; i < history->append_count; i++)
        was_removed[i] = history->appends[i].is_removed;
    for (size_t i = outcome->first; i < outcome->end; i++) {
        if (was_removed[i])
            continue;
        record_note("  append %llu is gone\n", (unsigned long long)history->appends[i].number);
        history_remove(history, i);
    }
    for (size_t i = outcome->first; i < outcome->end && !history->doubt.removed_whole; i++) {
        if (!was_removed[i])
            note_guesses(history, history->appends[i].batch, was_removed);
    }
    if (outcome->append_is_there) {
        record_note("  the last request that was not acked is there\n");
        history_keep(history, &history->doubt.append);
    }
}

/* The one that explains the answers; if there is none, it is as if all had failed, and the comparison that follows says what differs. */
void history_settle(struct history *history)
{
    struct sp_store_stats stats;
    struct outcome outcome;
    struct sp_buf answers;
    struct history_doubt *doubt = &history->doubt;
    if (doubt->append.batch == NULL && doubt->removed_last == 0)
        return;
    sp_buf_init(&answers, SIZE_MAX / 2);
    ck_assert_int_eq(sp_store_stats(history_rocks(history), &stats, NULL), SP_OK);
    describe_answers(history_rocks(history), SP_TIME_RANGE_ALL, &answers);
    if (find_outcome(history, stats.span_count, &answers, &outcome))
        take_outcome(history, &outcome);
    sp_buf_fini(&answers);
    *doubt = (struct history_doubt){.removed_last = 0};
}

/* ---- guesses ---- */

uint64_t history_spans_between(const struct history *history, uint64_t first, uint64_t last)
{
    uint64_t spans = 0;
    for (size_t i = 0; i < history->append_count; i++) {
        const struct history_append *append = &history->appends[i];
        if (!append->is_removed && history_is_between(append, first, last))
            spans += append->batch->span_count;
    }
    return spans;
}

/* One was taken for gone, or not, and it is the other way round with another one of the same batch, which is not between first and last.
 * The reference has one of them, and need not know which. */
static bool swap_with_another(struct history *history, struct history_append *append,
                              uint64_t first, uint64_t last)
{
    for (size_t i = 0; i < history->append_count && append->is_guess; i++) {
        struct history_append *other = &history->appends[i];
        if (!other->is_guess || other->batch != append->batch ||
            other->is_removed == append->is_removed || history_is_between(other, first, last))
            continue;
        record_note("  append %llu had gone before, not %llu\n",
                    (unsigned long long)(append->is_removed ? other : append)->number,
                    (unsigned long long)(append->is_removed ? append : other)->number);
        uint64_t kept = append->kept;
        append->kept = other->kept;
        other->kept = kept;
        other->is_removed = append->is_removed;
        append->is_removed = !append->is_removed;
        return true;
    }
    return false;
}

void history_correct_guesses(struct history *history, uint64_t first, uint64_t last,
                             uint64_t span_count)
{
    for (size_t i = 0; i < history->append_count; i++) {
        struct history_append *append = &history->appends[i];
        bool is_end = append->number == first || append->number == last;
        if (is_end && append->is_removed && !swap_with_another(history, append, first, last))
            swap_with_another(history, append, append->number, append->number);
    }
    for (size_t i = 0; i < history->append_count; i++) {
        struct history_append *append = &history->appends[i];
        uint64_t spans = history_spans_between(history, first, last);
        uint64_t wrong = spans > span_count ? spans - span_count : span_count - spans;
        if (append->number > first && append->number < last && wrong >= append->batch->span_count &&
            append->is_removed == (spans < span_count))
            swap_with_another(history, append, first, last);
    }
}
