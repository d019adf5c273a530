/* tls_report.h: a TLS report (TLS-RPT), checked.
 *
 * RFC 8460 4.4; HOSTILE 112. Jansson reads it, after a look at how deep and
 * how wide it is. Pure; any
 * thread.
 */
#ifndef GODWIT_CONTENT_TLS_REPORT_H
#define GODWIT_CONTENT_TLS_REPORT_H

#include "base/slice.h"

#include <jansson.h>

enum { TLS_REPORT_DEPTH_MAX = 32, TLS_REPORT_VALUES_MAX = 250000 };

/* A new object with the members that RFC 8460 knows and that are of their type, under their
 * names; others are left out, and "mx-host" is always a list. NULL, and why not, in words
 * for people; a static text. */
json_t *tls_report_read(struct slice json, const char **out_failure);

#endif
