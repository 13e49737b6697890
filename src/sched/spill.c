/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The engine's scratch from run to run: opened by the run that spills, kept while
 * persisted blocks are in it, closed when it is empty.
 *
 * What a run may spill is known from its rehearsal and is asked of the disk before the
 * run begins. So what others write meanwhile cannot take it away, and a disk that is
 * full by then is found while there is nothing to lose. A run differs a little from its
 * rehearsal; what it needs beyond that and the spare room is asked for as it comes.
 */
#include "sched/engine.h"

clast_status cl_spill_open(cl_spill *spill, cl_scratch **scratch, cl_error *err)
{
    cl_mutex_lock(&spill->mutex);
    clast_status status = CLAST_OK;
    if (!spill->scratch)
        status = cl_scratch_open(&spill->scratch, spill->folder, err);
    *scratch = spill->scratch;
    cl_mutex_unlock(&spill->mutex);
    return status;
}

clast_status cl_spill_reserve(cl_spill *spill, uint64_t pages, cl_error *err)
{
    cl_scratch *scratch;
    if (pages == 0)
        return CLAST_OK;
    CL_TRY(cl_spill_open(spill, &scratch, err));
    return cl_scratch_reserve(scratch, pages * CL_PAGE, err);
}

void cl_spill_end(cl_spill *spill)
{
    if (!spill->scratch)
        return;
    cl_scratch_unreserve(spill->scratch);
    if (cl_scratch_bytes(spill->scratch))
        return;
    cl_scratch_close(spill->scratch);
    spill->scratch = NULL;
}
