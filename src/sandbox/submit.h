/* submit.h: a message handed in over SMTP, as any program would: to the sandbox itself, or to a
 * server that somebody has allowed it to be released to. One thread. */
#ifndef GODWIT_SANDBOX_SUBMIT_H
#define GODWIT_SANDBOX_SUBMIT_H

#include "base/buffer.h"
#include "event/loop.h"
#include "net/address.h"

enum { SUBMIT_RECIPIENTS_MAX = 1000, SUBMIT_TEXT_MAX = 500 };

/* Made by who asks, and that one's again at done(). */
struct submit {
    struct loop *loop;
    struct net_address to;
    struct slice hostname;          /* outlives it, as all that is borrowed here */
    struct slice sender;
    struct slice recipients[SUBMIT_RECIPIENTS_MAX];
    size_t recipients_count;
    struct buffer octets;           /* freed by submit_end() */
    void (*done)(struct submit *submit); /* once, never from inside submit_begin() */
    /* the answer */
    size_t accepted;                /* recipients */
    unsigned code;                  /* the reply that decided, or that refused; 0: none came */
    char text[SUBMIT_TEXT_MAX];
    struct submit_talk *talk;
};

void submit_begin(struct submit *submit);
/* Gives it up where it is under way. */
void submit_end(struct submit *submit);

#endif
