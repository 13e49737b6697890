/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An output says which program of which inputs it is; the file keeps a history as the
 * CF conventions want it: an attribute of the root, one line a step, the newest first
 * (as NCO and CDO write it). No line has a date unless the caller gave it one, so that
 * the same command gives the same bytes; nor is a line repeated.
 */
#include "io/hdf5_provenance.h"

#include <string.h>

#include "base/alloc.h"
#include "io/hdf5_attributes.h"
#include "io/hdf5_source.h"

void cl_hdf5_provenance_put(hid_t dataset, const cl_output_spec *spec)
{
    const char *const pairs[][2] = {{"clast_version", spec->version},
                                    {"clast_program", spec->program},
                                    {"clast_inputs", spec->inputs}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (pairs[i][1])
            cl_hdf5_attribute_put_text(dataset, pairs[i][0], pairs[i][1]);
}

static bool is_newest(const char *line, const char *history)
{
    const size_t n = strlen(line);
    return strncmp(history, line, n) == 0 && (history[n] == '\0' || history[n] == '\n');
}

static clast_status put_line(hid_t root, const char *line, const char *before,
                             cl_error *err)
{
    if (!before || is_newest(line, before)) {
        cl_hdf5_attribute_put_text(root, "history", before ? before : line);
        return CLAST_OK;
    }
    const size_t n = strlen(line);
    char *text = cl_alloc(n + strlen(before) + 2);
    if (!text)
        return cl_error_set(err, CLAST_ENOMEM, "no memory for the history");
    memcpy(text, line, n);
    text[n] = '\n';
    strcpy(text + n + 1, before);
    cl_hdf5_attribute_put_text(root, "history", text);
    cl_free(text);
    return CLAST_OK;
}

char *cl_hdf5_history(hid_t file)
{
    const hid_t root = H5Gopen2(file, "/", H5P_DEFAULT);
    if (root < 0)
        return NULL;
    char *text = cl_hdf5_attribute_text(root, "history");
    H5Gclose(root);
    return text;
}

static char *history_of_input(const cl_source *input)
{
    const cl_hdf5_source *s = (const cl_hdf5_source *)input;
    const hid_t file = s && cl_hdf5_source_wake(s, NULL) == CLAST_OK
                           ? H5Iget_file_id(s->client->dataset)
                           : H5I_INVALID_HID;
    if (file < 0)
        return NULL;
    char *text = cl_hdf5_history(file);
    H5Fclose(file);
    return text;
}

clast_status cl_hdf5_history_put(hid_t file, const cl_output_spec *spec,
                                 const char *old, cl_error *err)
{
    char *before = old ? cl_strdup(old) : cl_hdf5_history(file);
    const hid_t root = H5Gopen2(file, "/", H5P_DEFAULT);
    if (!before)
        before = history_of_input(spec->like);
    const clast_status status =
        root >= 0 ? put_line(root, spec->history, before, err) : CLAST_OK;
    if (root >= 0)
        H5Gclose(root);
    cl_free(before);
    return status;
}
