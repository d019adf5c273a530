/* pickup.h: takes up the messages that programs left in the maildrop (mail/maildrop.h).
 *
 * The folder is looked through at the start and every few seconds. A file goes into the
 * intake like any message and is removed only when that has answered that it is durable:
 * a crash between the two delivers it twice, never not at all. Aliases are expanded here;
 * for recipients that a domain of ours does not know the sender gets a report. Files that
 * are not whole, not regular or not ours go to maildrop/bad, with a line in the log.
 *
 * Everything is for the thread of its loop.
 */
#ifndef GODWIT_DAEMON_PICKUP_H
#define GODWIT_DAEMON_PICKUP_H

#include "config/config.h"
#include "event/loop.h"
#include "mail/event.h"
#include "mail/intake.h"

struct pickup;

struct pickup_options {
    struct loop *loop;
    struct intake *intake;
    struct event_sink *events;   /* or NULL */
};

/* Makes the folder in config->data and begins at the next turn of the loop. Holds a
 * reference of the configuration. ERR_MEMORY; ERR_DENIED, ERR_FULL, ERR_IO for the
 * folder, ERR_INVALID when something else has its name. */
enum err pickup_open(const struct pickup_options *options, const struct config *config,
                     struct pickup **out);

/* What is taken up from now on goes by this configuration. */
void pickup_configure(struct pickup *pickup, const struct config *config);

/* Begins no more files; quiet when no commit is under way. */
void pickup_drain(struct pickup *pickup);
bool pickup_is_quiet(const struct pickup *pickup);

/* After drain and quiet, or when the intake answers no more. NULL inside is allowed. */
void pickup_close(struct pickup **pickup);

#endif
