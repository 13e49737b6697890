/* SPDX-License-Identifier: BSD-3-Clause */
/* The same program in C++17, which has no compound literals. */
#include <cstdio>
#include <cstdlib>

#include <clast.h>

int main()
{
    clast_options options = {};
    options.memory = CLAST_GIB(2);
    clast_ctx *ctx = clast_open(&options);

    clast_array *x = clast_from_hdf5(ctx, "in.h5", "/x");
    clast_array *y = clast_sub(clast_add(x, clast_transpose(x)), clast_mean(x, 0));
    clast_to_hdf5(y, "out.h5", "/y", nullptr);

    int code = EXIT_SUCCESS;
    if (clast_ctx_status(ctx) != CLAST_OK) {
        std::fprintf(stderr, "demo: %s\n", clast_ctx_error(ctx));
        code = EXIT_FAILURE;
    }
    clast_close(&ctx);
    return code;
}
