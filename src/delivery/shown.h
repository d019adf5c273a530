/* shown.h: the level of TLS that each host has shown lately.
 *
 * Without a policy nobody would notice that a host which always had TLS has none today.
 * So the highest level of each host is remembered for 30 days from when it was last
 * seen, of a bounded number of hosts; the one unseen longest is forgotten. Any thread.
 */
#ifndef GODWIT_DELIVERY_SHOWN_H
#define GODWIT_DELIVERY_SHOWN_H

#include "base/buffer.h"
#include "base/err.h"
#include "mail/transport.h"

#include <stdbool.h>
#include <stdint.h>

enum { SHOWN_HOSTS_MAX = 10000 };

struct shown;

/* Of the hosts that are forgotten for others `forgotten` is told, unless NULL, from
 * inside a call that remembers one. */
struct shown_listener {
    void (*forgotten)(struct shown_listener *listener, struct slice host);
};

/* The listener may be NULL, and outlives it. */
enum err shown_open(size_t max, struct shown_listener *listener, struct shown **out);
/* NULL inside is allowed. */
void shown_close(struct shown **shown);

/* TRANSPORT_REQUIRED (TLS) or TRANSPORT_VERIFIED; else TRANSPORT_UNSAID: nothing is
 * known. */
enum transport_level shown_find(struct shown *shown, struct slice host, int64_t wall_ms);

/* A host has shown this level of the two now. True when that is worth to be kept over a
 * start: the level is new, or what was kept is more than a day old. */
bool shown_note(struct shown *shown, struct slice host, enum transport_level level,
                int64_t wall_ms);

/* A note as text that shown_recall() reads. False: it is none, or too old to count. */
void shown_describe(enum transport_level level, int64_t wall_ms, struct buffer *out);
bool shown_recall(struct shown *shown, struct slice host, struct slice text,
                  int64_t now_wall_ms);

#endif
