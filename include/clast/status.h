/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Status codes: what went wrong, as a value. The text that names the operation, the
 * numbers and the place comes from clast_error() or clast_ctx_error(). "The option
 * in_place" in it is that member of the options; the command has it as --in-place.
 */
#ifndef CLAST_STATUS_H
#define CLAST_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define CLAST_API __attribute__((visibility("default")))
#else
#define CLAST_API
#endif

/* X(name, text): the one list of status codes. */
#define CLAST_STATUS_MAP(X)                                                            \
    X(OK, "no error")                                                                  \
    X(ENOMEM, "the process is out of memory")                                          \
    X(EBUDGET, "does not fit into the memory budget")                                  \
    X(ESHAPE, "shapes do not fit together")                                            \
    X(EAXIS, "axis out of range or repeated")                                          \
    X(EDTYPE, "unsupported dtype")                                                     \
    X(EVALUE, "argument out of range")                                                 \
    X(EINDEX, "index out of range")                                                    \
    X(ENAME, "unknown, unused or repeated name")                                       \
    X(ESYNTAX, "syntax error")                                                         \
    X(ENOENT, "no such file or dataset")                                               \
    X(EEXIST, "dataset exists")                                                        \
    X(EACCESS, "permission denied")                                                    \
    X(ENOSPACE, "no space left on device")                                             \
    X(EIO, "read or write failed")                                                     \
    X(EFORMAT, "damaged or unsupported file")                                          \
    X(ECONTEXT, "arrays of different contexts")                                        \
    X(ECANCELED, "canceled")                                                           \
    X(EBUSY, "the context is busy with a run that this call is part of")               \
    X(EMATH, "an iteration did not converge")                                          \
    X(EPENDING, "the run has not ended yet")                                           \
    X(ENOTSUP, "not supported")                                                        \
    X(EUSER, "a function of the caller failed")                                        \
    X(EINTERNAL, "internal error: please report it")

typedef enum clast_status {
#define CLAST_STATUS_ENUM(name, text) CLAST_##name,
    CLAST_STATUS_MAP(CLAST_STATUS_ENUM)
#undef CLAST_STATUS_ENUM
        CLAST_NSTATUS /**< the number of codes, not a code */
} clast_status;

/** The code's name, such as "CLAST_ESHAPE"; "CLAST_?" for a value that is no code. */
CLAST_API const char *clast_status_name(clast_status status);

/** The code's text, such as "shapes do not fit together"; never NULL. */
CLAST_API const char *clast_status_text(clast_status status);

#ifdef __cplusplus
}
#endif
#endif
