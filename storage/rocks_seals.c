/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rocks_seals.c: hands the steps of several seals (rocks_seal.c) to a crew: any of them may be prepared, only the first is
 * committed, and the next becomes the first when it is gone. So each finds all older segments in the list. Knows no blocks. */
#include "storage/rocks_seals.h"

#include <stdlib.h>

struct sp_rocks_seal_job {
    struct sp_crew_job job;
    struct sp_rocks_seal_job *next;
    struct sp_rocks *rocks;
    struct sp_rocks_sealing *sealing;
    /* What the crew has to do, or has done. */
    enum sp_status (*step)(struct sp_rocks_sealing *sealing, struct sp_error *reterr);
    enum sp_status status;
    struct sp_error error;
};

static void run(struct sp_crew_job *job, void *tool)
{
    struct sp_rocks_seal_job *seal = (struct sp_rocks_seal_job *)(void *)job;
    struct sp_gate_pass pass;
    (void)tool;
    sp_gate_enter_always(&seal->rocks->gate, &pass);
    seal->status = seal->step(seal->sealing, &seal->error);
    sp_gate_leave(&seal->rocks->gate, &pass);
}

static void submit(struct sp_rocks_seals *seals, struct sp_rocks_seal_job *seal,
                   enum sp_status (*step)(struct sp_rocks_sealing *sealing,
                                          struct sp_error *reterr))
{
    seal->step = step;
    sp_crew_submit(seals->crew, &seal->job, true); /* it makes room */
}

static void drop_first(struct sp_rocks_seals *seals)
{
    struct sp_rocks_seal_job *seal = seals->first;
    seals->first = seal->next;
    if (seal->next == NULL)
        seals->last = NULL;
    seals->count--;
    sp_rocks_sealing_free(seal->sealing);
    free(seal);
}

void sp_rocks_seals_fini(struct sp_rocks_seals *seals)
{
    while (seals->first != NULL)
        drop_first(seals);
}

enum sp_status sp_rocks_seals_begin(struct sp_rocks_seals *seals, struct sp_error *reterr)
{
    struct sp_rocks_seal_job *seal = calloc(1, sizeof(*seal));
    if (seal == NULL)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to seal a segment");
    *seal = (struct sp_rocks_seal_job){.job.run = run, .rocks = seals->rocks};
    enum sp_status status = sp_rocks_sealing_new(seals->rocks, &seal->sealing, reterr);
    if (status != SP_OK) {
        free(seal);
        return status;
    }
    if (seals->last != NULL)
        seals->last->next = seal;
    else
        seals->first = seal;
    seals->last = seal;
    seals->count++;
    submit(seals, seal, sp_rocks_sealing_prepare);
    return SP_OK;
}

enum sp_status sp_rocks_seals_go_on(struct sp_rocks_seals *seals, struct sp_error *reterr)
{
    while (seals->first != NULL && sp_crew_is_done(seals->crew, &seals->first->job)) {
        struct sp_rocks_seal_job *seal = seals->first;
        if (seal->status != SP_OK) {
            if (reterr != NULL)
                *reterr = seal->error;
            return seal->status;
        }
        if (seal->step == sp_rocks_sealing_prepare)
            submit(seals, seal, sp_rocks_sealing_commit);
        else
            drop_first(seals);
    }
    return SP_OK;
}
