/* sender_gate.c: RFC 6409 6.1 (the submitter's right to the addresses it uses). */
#include "policy/sender_gate.h"

#include "base/list.h"
#include "wire/message/addresses.h"
#include "wire/message/header.h"

#include <stdlib.h>

enum { ARENA_MAX = 4 * 1024 * 1024, ADDRESS_MAX = 1024 };

struct sender_gate {
    struct gate gate;
    account_may_send *may_send;
};

static const struct smtp_reply not_yours = {
    .code = 553, .status = { 5, 7, 1 },
    .text = SLICE_INIT("Sender address rejected: not owned by your account"),
};
static const struct smtp_reply from_not_yours = {
    .code = 550, .status = { 5, 7, 1 },
    .text = SLICE_INIT("From or Sender rejected: an address is not owned by your account"),
};
static const struct smtp_reply unreadable = {
    .code = 550, .status = { 5, 6, 0 },
    .text = SLICE_INIT("From or Sender cannot be read as addresses"),
};
static const struct smtp_reply malformed = {
    .code = 550, .status = { 5, 6, 0 },
    .text = SLICE_INIT("The header has a line that is no field"),
};
static const struct smtp_reply fault = {
    .code = 451, .status = { 4, 3, 0 }, .text = SLICE_INIT("Local error, try later"),
};

static const struct slice authors[] = {
    SLICE_INIT("From"), SLICE_INIT("Sender"), SLICE_INIT("Resent-From"),
    SLICE_INIT("Resent-Sender"),
};

static bool names_author(const struct header_field *field)
{
    for (size_t i = 0; i < sizeof authors / sizeof *authors; i++)
        if (slice_equal_nocase(field->name, authors[i]))
            return true;
    return false;
}

static const struct smtp_reply *judge_address(const struct sender_gate *g,
                                              const struct gate_question *q,
                                              struct slice address,
                                              const struct smtp_reply *refusal)
{
    bool may = false;
    if (g->may_send(q->config, q->account, address, &may) != ERR_OK)
        return &fault;
    return may ? NULL : refusal;
}

static const struct smtp_reply *judge_field(const struct sender_gate *g,
                                            const struct gate_question *q,
                                            struct slice value, struct arena *arena)
{
    struct header_addresses all;
    const struct smtp_reply *reply = NULL;
    switch (header_addresses_parse(value, arena, &all)) {
    case HEADER_ADDRESSES_OK:
        break;
    case HEADER_ADDRESSES_SYNTAX:
        return &unreadable;
    case HEADER_ADDRESSES_NO_ROOM:
        return &fault;
    }
    for (const struct header_address *a = all.first; a != NULL && reply == NULL;
         a = a->next) {
        struct buffer address;
        buffer_init(&address, ADDRESS_MAX);
        buffer_append(&address, a->local);
        buffer_append_byte(&address, '@');
        buffer_append(&address, a->domain);
        reply = address.overflow ? &unreadable
                                 : judge_address(g, q, buffer_slice(&address),
                                                 &from_not_yours);
        buffer_free(&address);
    }
    return reply;
}

static const struct smtp_reply *judge_header(const struct sender_gate *g,
                                             const struct gate_question *q)
{
    struct cursor c = cursor_over(q->header);
    struct header_field field;
    struct arena arena;
    enum header_result result;
    const struct smtp_reply *reply = NULL;
    arena_init(&arena, ARENA_MAX);
    while (reply == NULL && (result = header_next(&c, &field)) != HEADER_END)
        if (result == HEADER_MALFORMED) /* others may read an author in it */
            reply = &malformed;
        else if (names_author(&field))
            reply = judge_field(g, q, field.value, &arena);
    arena_free(&arena);
    return reply;
}

static enum gate_result sender_ask(struct gate *gate, struct gate_question *question,
                                   struct gate_answer *out_answer)
{
    const struct sender_gate *g = container_of(gate, struct sender_gate, gate);
    const struct smtp_reply *reply = NULL;
    *out_answer = (struct gate_answer){ .action = GATE_PASS };
    if (slice_is_empty(question->account))
        return GATE_ANSWERED;
    if (question->point == GATE_HEADER)
        reply = judge_header(g, question);
    else if (question->envelope->sender.len > 0)
        reply = judge_address(g, question, question->envelope->sender, &not_yours);
    if (reply != NULL)
        *out_answer = (struct gate_answer){ .action = GATE_REPLY, .reply = *reply };
    return GATE_ANSWERED;
}

/* It never parks. */
static void sender_cancel(struct gate *gate, struct gate_question *question)
{
    (void)gate;
    (void)question;
}

static const struct gate_ops sender_ops = {
    .name = "sender", .points = GATE_MAIL | GATE_HEADER, .content_of = GATE_CONTENT_OF_ACCOUNTS,
    .ask = sender_ask, .cancel = sender_cancel,
};

enum err policy_sender_gate_open(account_may_send *may_send, struct gate **out)
{
    struct sender_gate *g = calloc(1, sizeof *g);
    if (g == NULL)
        return ERR_MEMORY;
    *g = (struct sender_gate){ .gate = { .ops = &sender_ops }, .may_send = may_send };
    *out = &g->gate;
    return ERR_OK;
}

void policy_sender_gate_close(struct gate **gate)
{
    if (*gate != NULL)
        free(container_of(*gate, struct sender_gate, gate));
    *gate = NULL;
}
