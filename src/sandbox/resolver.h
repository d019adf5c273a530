/* resolver.h: the test DNS of the common workspace on a port, for programs under test.
 *
 * UDP and TCP (RFC 1035 4.2, RFC 7766); authoritative for all that there is, and never asks
 * anybody. It does not sign. One thread.
 */
#ifndef GODWIT_SANDBOX_RESOLVER_H
#define GODWIT_SANDBOX_RESOLVER_H

#include "sandbox/box.h"

struct resolver;

/* Both are bound, do not block, and are borrowed; `tcp` listens. */
enum err resolver_open(struct loop *loop, struct box *box, int udp, int tcp,
                       struct resolver **out);
void resolver_close(struct resolver **resolver);

#endif
