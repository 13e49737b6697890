/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>

#include <clast.h>

int main(void)
{
    clast_ctx *ctx = clast_open(&(clast_options){.memory = CLAST_GIB(2)});

    clast_array *x = clast_from_hdf5(ctx, "in.h5", "/x"); /* nothing is read yet */
    clast_array *y = clast_sub(clast_add(x, clast_transpose(x)), clast_mean(x, 0));
    clast_to_hdf5(y, "out.h5", "/y", NULL); /* plans, then runs */

    int code = EXIT_SUCCESS;
    if (clast_ctx_status(ctx) != CLAST_OK) {
        fprintf(stderr, "demo: %s\n", clast_ctx_error(ctx));
        code = EXIT_FAILURE;
    }
    clast_close(&ctx);
    return code;
}
