/* SPDX-License-Identifier: BSD-3-Clause */
/* Compression that is asked for, and the codecs that this build has. */
#include "io/compression.h"

#include "io/codec.h"

clast_status cl_compression_settle(cl_compression *c, const char *text, cl_error *err)
{
    if (c->codec && !cl_codec_can_write(c->codec, c->value)) {
        const char *option = cl_codec_option(c->codec);
        return cl_error_set(err, CLAST_ENOTSUP,
                            "compression '%s' is not in this build of Clast%s%s", text,
                            option ? ", which would have to be made with -D" : "",
                            option ? option : "");
    }
    const cl_codec *codec = cl_codec_any(c->codec);
    if (codec && codec->fit)
        c->n = codec->fit(c->value, c->n, 0, 0);
    return CLAST_OK;
}

void cl_compression_shuffle(cl_compression *c, int shuffle)
{
    if (shuffle == 0)
        return;
    c->shuffle = shuffle > 0 ? CL_SHUFFLE_BYTES : CL_SHUFFLE_NONE;
    c->bit_block = 0;
}
