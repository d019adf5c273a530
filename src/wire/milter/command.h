/* command.h: what the mail server says to a milter, as packets.
 *
 * The protocol has no formal specification; this is version 6 of Sendmail's libmilter
 * (8.14 and later), which milters of versions 2 to 5 know a part of. A packet is a
 * length of four octets in network order, a command of one octet, and its data; the length
 * counts the command. Strings end with NUL: one inside of what is appended becomes '?'.
 * Pure; any thread; what is too much for the buffer is its `overflow`.
 */
#ifndef GODWIT_WIRE_MILTER_COMMAND_H
#define GODWIT_WIRE_MILTER_COMMAND_H

#include "base/buffer.h"

enum {
    MILTER_VERSION = 6,
    MILTER_VERSION_MIN = 2,
    MILTER_CHUNK_MAX = 65535,       /* octets of a body in one packet */
};

enum milter_command {
    MILTER_OPTNEG = 'O',
    MILTER_MACRO = 'D',
    MILTER_CONNECT = 'C',
    MILTER_HELO = 'H',
    MILTER_MAIL = 'M',
    MILTER_RCPT = 'R',
    MILTER_DATA = 'T',              /* version 4 and later */
    MILTER_HEADER = 'L',
    MILTER_EOH = 'N',
    MILTER_BODY = 'B',
    MILTER_END_OF_BODY = 'E',
    MILTER_UNKNOWN = 'U',           /* version 3 and later */
    MILTER_ABORT = 'A',             /* no reply: the message is void */
    MILTER_QUIT = 'Q',              /* no reply: the connection ends */
    MILTER_QUIT_NEW_CONNECTION = 'K', /* no reply: a new session follows on it */
};

/* What a milter may do to a message. */
enum {
    MILTER_MAY_ADD_HEADERS = 0x01,
    MILTER_MAY_CHANGE_BODY = 0x02,
    MILTER_MAY_ADD_RECIPIENTS = 0x04,
    MILTER_MAY_DELETE_RECIPIENTS = 0x08,
    MILTER_MAY_CHANGE_HEADERS = 0x10,
    MILTER_MAY_QUARANTINE = 0x20,
    MILTER_MAY_CHANGE_SENDER = 0x40,
    MILTER_MAY_ADD_RECIPIENTS_WITH_PARAMETERS = 0x80,
    MILTER_MAY_NAME_MACROS = 0x100,
    MILTER_ACTIONS_V2 = 0x3f,
    MILTER_ACTIONS_V6 = 0x1ff,
};

/* What it does not want to hear of, or does not answer. */
enum {
    MILTER_NO_CONNECT = 0x01,
    MILTER_NO_HELO = 0x02,
    MILTER_NO_MAIL = 0x04,
    MILTER_NO_RCPT = 0x08,
    MILTER_NO_BODY = 0x10,
    MILTER_NO_HEADERS = 0x20,
    MILTER_NO_EOH = 0x40,
    MILTER_MUTE_HEADER = 0x80,
    MILTER_NO_UNKNOWN = 0x100,
    MILTER_NO_DATA = 0x200,
    MILTER_CAN_SKIP = 0x400,        /* may answer a body chunk with "no more of them" */
    MILTER_WANTS_REFUSED_RCPT = 0x800,
    MILTER_MUTE_CONNECT = 0x1000,
    MILTER_MUTE_HELO = 0x2000,
    MILTER_MUTE_MAIL = 0x4000,
    MILTER_MUTE_RCPT = 0x8000,
    MILTER_MUTE_DATA = 0x10000,
    MILTER_MUTE_UNKNOWN = 0x20000,
    MILTER_MUTE_EOH = 0x40000,
    MILTER_MUTE_BODY = 0x80000,
    MILTER_LEADING_SPACE = 0x100000, /* header values as they are, also those it sends */
    MILTER_PROTOCOL_V2 = 0x7f,
    MILTER_PROTOCOL_V6 = 0x1fffff,
};

/* What both sides can do: offered by us, chosen from by the milter. */
struct milter_options {
    uint32_t version;
    uint32_t actions;
    uint32_t protocol;
};

void milter_append_options(struct buffer *out, const struct milter_options *options);

/* The families of an address that a client comes from. */
enum milter_family {
    MILTER_FAMILY_UNKNOWN = 'U',    /* neither port nor address follow */
    MILTER_FAMILY_UNIX = 'L',
    MILTER_FAMILY_IPV4 = '4',
    MILTER_FAMILY_IPV6 = '6',
};

struct milter_client {
    struct slice name;              /* of the host, or "[192.0.2.1]" */
    enum milter_family family;
    uint16_t port;
    struct slice address;           /* "192.0.2.1", "IPv6:2001:db8::1", or a path */
};

void milter_append_client(struct buffer *out, const struct milter_client *client);

/* A command with strings as its data: HELO, MAIL, RCPT, HEADER, UNKNOWN; or with none:
 * DATA, EOH, END_OF_BODY, ABORT, QUIT. */
void milter_append_strings(struct buffer *out, enum milter_command command,
                           const struct slice *strings, size_t count);

/* BODY, at most MILTER_CHUNK_MAX octets: a longer one is our own mistake. */
void milter_append_chunk(struct buffer *out, struct slice chunk);

/* MACRO: names and values that are true for the command that follows; `pairs` holds
 * 2 * count slices. A value may be empty. */
void milter_append_macros(struct buffer *out, enum milter_command command,
                          const struct slice *pairs, size_t count);

#endif
