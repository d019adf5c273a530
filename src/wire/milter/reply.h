/* reply.h: what a milter says, cut from a stream into packets and read.
 *
 * A milter's octets are a peer's: a length is believed only up to MILTER_PACKET_MAX, and
 * memory grows with what has come, never by what was announced; every string must end where
 * the packet says. Which reply may follow which command is for who asked to know.
 * One owner, one thread.
 */
#ifndef GODWIT_WIRE_MILTER_REPLY_H
#define GODWIT_WIRE_MILTER_REPLY_H

#include "wire/milter/command.h"

enum { MILTER_PACKET_MAX = 256 * 1024 }; /* a command octet and its data */

enum milter_reply_kind {
    MILTER_REPLY_OPTIONS = 'O',       /* `options`, `macros` */
    /* what ends the wait for an answer */
    MILTER_REPLY_CONTINUE = 'c',
    MILTER_REPLY_ACCEPT = 'a',
    MILTER_REPLY_REJECT = 'r',
    MILTER_REPLY_TEMPFAIL = 't',
    MILTER_REPLY_DISCARD = 'd',
    MILTER_REPLY_CODE = 'y',          /* `text`: "550 5.7.1 words", perhaps many lines */
    MILTER_REPLY_SKIP = 's',
    MILTER_REPLY_CONNECTION_FAIL = 'f',
    MILTER_REPLY_SHUTDOWN = '4',
    /* what does not */
    MILTER_REPLY_PROGRESS = 'p',
    MILTER_REPLY_ADD_HEADER = 'h',    /* `name`, `text` */
    MILTER_REPLY_INSERT_HEADER = 'i', /* and `index` */
    MILTER_REPLY_CHANGE_HEADER = 'm', /* and `index`, from 1, among those of the name; an
                                         empty `text` deletes it */
    MILTER_REPLY_REPLACE_BODY = 'b',  /* `body`: the next piece of the new one */
    MILTER_REPLY_ADD_RECIPIENT = '+', /* `text`; "<" and ">" may stand around it */
    MILTER_REPLY_ADD_RECIPIENT_WITH_PARAMETERS = '2', /* and `parameters` */
    MILTER_REPLY_DELETE_RECIPIENT = '-', /* `text` */
    MILTER_REPLY_CHANGE_SENDER = 'e', /* `text`, `parameters` */
    MILTER_REPLY_QUARANTINE = 'q',    /* `text` is why */
};

/* At which commands macros can be asked for. */
enum milter_macro_stage {
    MILTER_STAGE_CONNECT,
    MILTER_STAGE_HELO,
    MILTER_STAGE_MAIL,
    MILTER_STAGE_RCPT,
    MILTER_STAGE_DATA,
    MILTER_STAGE_END_OF_MESSAGE,
    MILTER_STAGE_EOH,
    MILTER_STAGES,
};

/* Borrows from the reader, until it is next asked. Strings hold no NUL; any other octet
 * may be in them. */
struct milter_reply {
    enum milter_reply_kind kind;
    struct milter_options options;
    struct slice macros[MILTER_STAGES]; /* names, parted by spaces; data NULL: not said */
    uint32_t index;
    struct slice name;
    struct slice text;
    struct slice parameters;
    struct slice body;
};

enum milter_reply_result {
    MILTER_REPLY_TAKEN,
    MILTER_REPLY_NEED_MORE,
    MILTER_REPLY_BROKEN,              /* and so is the connection from now on */
};

struct milter_reader {
    struct buffer packet;             /* that has not come as a whole yet */
    bool is_taken;                    /* it was given out: forget it at the next call */
    bool is_broken;
};

void milter_reader_init(struct milter_reader *reader);
void milter_reader_free(struct milter_reader *reader);

/* Takes the next packet, moving *input behind what was used; all of it with NEED_MORE. */
enum milter_reply_result milter_reader_next(struct milter_reader *reader,
                                            struct slice *input,
                                            struct milter_reply *out_reply);

#endif
