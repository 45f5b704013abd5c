/* SPDX-License-Identifier: Apache-2.0
 *
 * query/shares.c: see query/shares.h. */
#include "query/shares.h"

#include <pthread.h>

/* A list is divided into so many shares, none smaller than that. */
#define SHARES    ((size_t)8)
#define SHARE_MIN ((size_t)128)

struct run {
    const struct sp_shares *shares;
    size_t share;
    _Atomic size_t next; /* the first that nobody looks at yet */
    _Atomic bool ended;  /* somebody failed, or is out of time */
};

struct looker {
    struct run *run;
    void *worker;
    pthread_t thread, host;
    bool runs; /* as a helper */
    enum sp_status status;
    struct sp_error error;
};

/* Takes share by share until there is none. */
static void look(struct looker *looker)
{
    struct run *run = looker->run;
    size_t count = run->shares->count;
    while (looker->status == SP_OK && !atomic_load(&run->ended)) {
        size_t from = atomic_fetch_add(&run->next, run->share);
        if (from >= count)
            break;
        size_t left = count - from;
        looker->status = run->shares->look(looker->worker, from,
                                           left < run->share ? left : run->share, &looker->error);
    }
    if (looker->status != SP_OK)
        atomic_store(&run->ended, true);
}

/* A share of a helper's is of the same read as the caller's. */
static void *help(void *cookie)
{
    struct looker *looker = cookie;
    struct sp_store *store = looker->run->shares->call->api->store;
    struct sp_store_helper helper;
    sp_store_help(store, &helper, looker->host);
    look(looker);
    sp_store_help_end(store, &helper);
    return NULL;
}

/* A helper inherits the name and the priority of the query thread. */
static enum sp_status start_helper(const struct sp_shares *shares, struct looker *looker,
                                   struct sp_error *reterr)
{
    if (!sp_query_borrow(shares->call->api))
        return SP_OK;
    enum sp_status status = shares->begin ? shares->begin(looker->worker, reterr) : SP_OK;
    looker->host = pthread_self();
    looker->runs = status == SP_OK && pthread_create(&looker->thread, NULL, help, looker) == 0;
    if (!looker->runs)
        sp_query_pool_give_back(shares->call->api->pool);
    return status;
}

/* Alone, the caller's thread takes everything as one share. */
static void look_alone(struct looker *looker)
{
    looker->run->share = looker->run->shares->count;
    look(looker);
}

enum sp_status sp_shares_run(const struct sp_shares *shares, void *const *workers,
                             uint32_t worker_count, struct sp_error *reterr)
{
    size_t share = shares->count / SHARES;
    struct run run = {.shares = shares, .share = share > SHARE_MIN ? share : SHARE_MIN};
    struct looker lookers[SP_SHARES_THREADS] = {{0}};
    uint32_t helpers = 0;
    enum sp_status status = SP_OK;
    SP_ASSERT(worker_count > 0 && worker_count <= SP_SHARES_THREADS);
    for (uint32_t i = 0; i < worker_count; i++)
        lookers[i] = (struct looker){.run = &run, .worker = workers[i]};
    for (uint32_t i = 1; i < worker_count && shares->count >= SP_SHARES_MIN && status == SP_OK;
         i++) {
        status = start_helper(shares, &lookers[i], reterr);
        helpers += lookers[i].runs;
    }
    if (status != SP_OK)
        atomic_store(&run.ended, true);
    if (helpers > 0)
        look(&lookers[0]);
    else
        look_alone(&lookers[0]);
    for (uint32_t i = 0; i < worker_count; i++) {
        if (lookers[i].runs) {
            pthread_join(lookers[i].thread, NULL);
            sp_query_pool_give_back(shares->call->api->pool);
        }
        if (lookers[i].status != SP_OK && (status == SP_OK || status == SP_DEADLINE)) {
            status = lookers[i].status;
            *reterr = lookers[i].error;
        }
    }
    return status;
}
