/* tls_record.h: who wants to know of TLS (RFC 8460 3). Pure; any thread. */
#ifndef GODWIT_REPORTS_TLS_RECORD_H
#define GODWIT_REPORTS_TLS_RECORD_H

#include "base/slice.h"

/* The list of URIs in a TXT record, borrowed from it; false: it is no such record. */
bool tls_record_read(struct slice text, struct slice *out_rua);

#endif
