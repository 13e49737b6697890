/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What run a journal belongs to: a text that is the same only for the same run.
 *
 * A line for each output of the file, one for all outputs in all files (so that a file
 * whose journal went is known by another's), what the caller says of the expressions
 * and their inputs, and last the target as it was.
 */
#include <inttypes.h>
#include <string.h>

#include "base/checksum.h"
#include "base/text.h"
#include "io/hdf5_resume.h"

clast_status cl_resume_no_memory(const char *file, cl_error *err)
{
    return cl_error_set(err, CLAST_ENOMEM, "%s: no memory to resume it", file);
}

const char *cl_resume_identity(const cl_outputs *outputs, size_t file)
{
    for (size_t i = 0; i < outputs->n; i++)
        if (outputs->output[i].file == file && outputs->output[i].spec.identity)
            return outputs->output[i].spec.identity;
    return NULL;
}

static void say_numbers(cl_text *text, int n, const int64_t *number)
{
    for (int a = 0; a < n; a++)
        cl_text_say(text, "%s%" PRId64, a > 0 ? ", " : "", number[a]);
}

static void say_output(cl_text *text, const cl_output *o)
{
    const cl_output_spec *s = &o->spec;
    cl_text_say(text, "output ");
    cl_text_json_string(text, o->path, strlen(o->path)); /* no line breaks */
    cl_text_say(text, ": %s (", clast_dtype_name(s->dtype));
    say_numbers(text, s->shape.ndim, s->shape.dim);
    cl_text_say(text, ") in chunks (");
    say_numbers(text, o->chunks > 0 ? s->shape.ndim : 0, o->chunk);
    const cl_compression *c = &s->compression;
    cl_text_say(text, "), shuffle %u, filter %u", c->shuffle, c->codec);
    for (uint32_t i = 0; i < c->n; i++)
        cl_text_say(text, " %u", c->value[i]);
    cl_text_say(text, ", checksum %u, attributes %d\n", c->fletcher,
                s->like ? 1 + (int)s->level : 0);
}

/* Of all outputs in all files: a file whose journal went is known by another's. */
static void say_all(cl_outputs *outputs, cl_text *text)
{
    cl_text all = {0};
    for (size_t i = 0; outputs->all == 0 && i < outputs->n; i++) {
        const char *target = outputs->file[outputs->output[i].file].atomic.target;
        cl_text_json_string(&all, target, strlen(target));
        say_output(&all, &outputs->output[i]);
    }
    text->has_failed = text->has_failed || all.has_failed;
    if (outputs->all == 0 && !all.has_failed)
        outputs->all = cl_checksum(all.data, all.used);
    cl_text_say(text, "one of %zu files, outputs %016" PRIx64 "\n", outputs->nfile,
                outputs->all);
    cl_text_fini(&all);
}

clast_status cl_resume_text(cl_outputs *outputs, size_t file, cl_text *text,
                            cl_error *err)
{
    const cl_atomic_file *a = &outputs->file[file].atomic;
    const char *identity = cl_resume_identity(outputs, file);
    for (size_t i = 0; i < outputs->n; i++)
        if (outputs->output[i].file == file)
            say_output(text, &outputs->output[i]);
    say_all(outputs, text);
    cl_text_add(text, identity, strlen(identity));
    if (a->existed)
        cl_text_say(text, "target of %lld bytes, inode %llu, changed %lld.%09ld\n",
                    (long long)a->before.st_size, (unsigned long long)a->before.st_ino,
                    (long long)a->before.st_mtim.tv_sec, a->before.st_mtim.tv_nsec);
    else
        cl_text_say(text, "target that is not there\n");
    cl_text_add(text, "", 1);
    return text->has_failed ? cl_resume_no_memory(a->file, err) : CLAST_OK;
}

clast_status cl_resume_compare(const cl_atomic_file *a, const char *name,
                               const char *had, const char *has, bool is_published,
                               cl_error *err)
{
    for (;;) {
        const size_t n = strcspn(had, "\n"), k = strcspn(has, "\n");
        const bool is_last = strncmp(had, "target ", 7) == 0;
        if (is_last && is_published)
            return CLAST_OK;
        if (n != k || strncmp(had, has, n) != 0)
            return cl_error_set(
                err, CLAST_EEXIST,
                "%s: %s keeps the progress of another run: it had '%.*s', this one has "
                "'%.*s'; remove that file to start over",
                a->file, name, n < 130 ? (int)n : 130, had, k < 130 ? (int)k : 130,
                has);
        if (is_last || had[n] == '\0' || has[k] == '\0')
            return CLAST_OK;
        had += n + 1;
        has += k + 1;
    }
}
