/* fault_magic.c: recipients whose name says what becomes of mail to them.
 *
 *   "reply-" code [ "-" times ] / "greylist-" seconds / "delay-" ms / "cut-" octets / "drop"
 */
#include "sandbox/fault_private.h"

static const struct smtp_reply replies[] = {
    { .code = 421, .status = { 4, 3, 2 }, .text = SLICE_INIT("Simulated: closing") },
    { .code = 450, .status = { 4, 2, 1 }, .text = SLICE_INIT("Simulated: mailbox busy") },
    { .code = 451, .status = { 4, 3, 0 }, .text = SLICE_INIT("Simulated: local error") },
    { .code = 452, .status = { 4, 2, 2 }, .text = SLICE_INIT("Simulated: mailbox full") },
    { .code = 550, .status = { 5, 1, 1 }, .text = SLICE_INIT("Simulated: no such user") },
    { .code = 552, .status = { 5, 2, 2 }, .text = SLICE_INIT("Simulated: mailbox full") },
    { .code = 553, .status = { 5, 1, 3 }, .text = SLICE_INIT("Simulated: bad address") },
    { .code = 554, .status = { 5, 7, 1 }, .text = SLICE_INIT("Simulated: refused") },
};

static struct smtp_reply reply_of(uint64_t code)
{
    for (size_t i = 0; i < sizeof replies / sizeof *replies; i++)
        if (replies[i].code == code)
            return replies[i];
    return (struct smtp_reply){ .code = (uint16_t)code,
                                .status = { (uint8_t)(code / 100), 0, 0 },
                                .text = SLICE("Simulated") };
}

bool fault_magic(struct slice recipient, struct slice domain, struct fault_rule *out)
{
    struct slice host = envelope_domain(recipient);
    struct slice local = slice_part(recipient, 0, recipient.len - host.len - 1);
    struct cursor c = cursor_over(local);
    uint64_t number, times = 0;
    if (host.len != domain.len + 10 || !slice_starts_with_nocase(host, SLICE("simulator.")) ||
        !slice_ends_with_nocase(host, domain))
        return false;
    *out = (struct fault_rule){ .percent = 100, .step = FAULT_RCPT };
    if (cursor_take_literal(&c, SLICE("reply-")) && cursor_take_number(&c, 599, &number) &&
        number >= 400) {
        if (cursor_take_byte(&c, '-') && !cursor_take_number(&c, 1000000, &times))
            return false;
        out->reply = reply_of(number);
        out->closes = number == 421;
        out->times = times;
        return cursor_at_end(&c);
    }
    c = cursor_over(local);
    if (cursor_take_literal(&c, SLICE("greylist-")) && cursor_take_number(&c, 86400, &number)) {
        out->greylist_ms = (int64_t)number * 1000;
        out->reply = reply_of(451);
        return cursor_at_end(&c);
    }
    c = cursor_over(local);
    if (cursor_take_literal(&c, SLICE("delay-")) &&
        cursor_take_number(&c, FAULT_DELAY_MAX_MS, &number)) {
        out->delay_ms = (uint32_t)number;
        return cursor_at_end(&c);
    }
    c = cursor_over(local);
    if (cursor_take_literal(&c, SLICE("cut-")) && cursor_take_number(&c, FAULT_CUT_MAX, &number) &&
        number > 0) {
        out->cut_after = (uint32_t)number;
        return cursor_at_end(&c);
    }
    out->drops = true;
    return slice_equal_nocase(local, SLICE("drop"));
}
