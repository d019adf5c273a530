/* simulator.h: what comes back from far away: bounces, complaints, absences.
 *
 * Mail to one of these at "simulator." and the sandbox's domain is captured as any other, and
 * then its sender gets what a real receiver would send later: "bounce@" (a DSN, RFC 3464),
 * "delayed-bounce@" (the same a second later), "delay@" (a DSN that tells of a delay),
 * "complaint@" (ARF, RFC 5965), "ooto@" (an automatic answer, RFC 3834); "success@" nothing. What
 * comes from nobody, or automatically, gets no answer. One thread.
 */
#ifndef GODWIT_SANDBOX_SIMULATOR_H
#define GODWIT_SANDBOX_SIMULATOR_H

#include "net/address.h"
#include "sandbox/box.h"

struct simulator;

struct simulator_options {
    struct loop *loop;
    struct box *box;
    struct net_address smtp;  /* where its mail is handed in */
    struct slice domain;      /* of the sandbox; both outlive it */
    struct slice hostname;
};

enum err simulator_open(const struct simulator_options *options, struct simulator **out);
void simulator_close(struct simulator **simulator);

#endif
