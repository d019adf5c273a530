/* dsn_advice.c: what each kind of failure means to the person who sent the message:
 * RFC 3463 section 3, RFC 5248's registry. The most exact line that fits is used. */
#include "wire/report/dsn_private.h"

enum { ANY = 0xffff };

static const struct {
    uint16_t subject;
    uint16_t detail;
    struct slice text;
} advice[] = {
    { 1, 1, SLICE_INIT("This address does not exist there. Check it for a typing mistake, above "
                       "all what stands before the @. If it is right, the mailbox may have been "
                       "closed: ask the recipient in another way for the present address.") },
    { 1, 2, SLICE_INIT("The domain, what stands behind the @, does not exist or takes no mail. "
                       "Check it for a typing mistake.") },
    { 1, 3, SLICE_INIT("The address is not written as an address must be. Check it for a missing "
                       "or a surplus character.") },
    { 1, 6, SLICE_INIT("The mailbox has moved. Ask the recipient in another way for the new "
                       "address.") },
    { 1, 7, SLICE_INIT("The other server does not accept your own address as a sender. Show this "
                       "report to whoever runs your mail.") },
    { 1, 8, SLICE_INIT("The other server does not accept your own address as a sender. Show this "
                       "report to whoever runs your mail.") },
    { 1, 10, SLICE_INIT("The domain, what stands behind the @, says that it takes no mail at all. "
                        "Check it for a typing mistake, or reach the recipient in another way.") },
    { 1, ANY, SLICE_INIT("Something is wrong with the address. Check it for a typing mistake and "
                         "send the message again.") },
    { 2, 1, SLICE_INIT("The mailbox is switched off. Reach the recipient in another way.") },
    { 2, 2, SLICE_INIT("The mailbox is full. Send the message again in a few days, or tell the "
                       "recipient in another way.") },
    { 2, 3, SLICE_INIT("The message is too large for this recipient. Send it without attachments, "
                       "or put these where the recipient can fetch them.") },
    { 2, ANY, SLICE_INIT("The mailbox cannot take the message. Reach the recipient in another way, "
                         "or send the message again later.") },
    { 3, 4, SLICE_INIT("The message is too large. Send it without attachments, or put these where "
                       "the recipient can fetch them.") },
    { 3, ANY, SLICE_INIT("The other mail server has a fault of its own. Send the message again "
                         "later; if that fails too, reach the recipient in another way.") },
    { 4, 6, SLICE_INIT("The message went in a circle between mail servers. Only those who run the "
                       "recipient's mail can mend that: tell the recipient in another way.") },
    { 4, 7, SLICE_INIT("The recipient's mail server could not be reached, or would not take the "
                       "message, for as long as we try. Check what stands behind the @ for a "
                       "typing mistake. If it is right, send the message again later.") },
    { 4, ANY, SLICE_INIT("The recipient's mail server could not be reached. Check what stands "
                         "behind the @ for a typing mistake. If it is right, send the message "
                         "again later.") },
    { 5, 3, SLICE_INIT("The message has too many recipients for that server. Send it to fewer at "
                       "a time.") },
    { 5, ANY, SLICE_INIT("The two mail servers did not understand each other. Show this report to "
                         "whoever runs your mail.") },
    { 6, 7, SLICE_INIT("The address or the message needs international mail (SMTPUTF8), which the "
                       "other server does not offer. Use an address of plain letters, if there "
                       "is one.") },
    { 6, ANY, SLICE_INIT("The other server cannot take what the message holds. Send it as plain "
                         "text, without attachments.") },
    { 7, 1, SLICE_INIT("The other server refused the message by a rule of its own: it may have "
                       "taken it for unwanted mail, or not know you as somebody who may write "
                       "there. Reach the recipient in another way, and show this report to "
                       "whoever runs your mail.") },
    { 7, 10, SLICE_INIT("The connection to the other server could not be made safe, so the "
                        "message was not sent. Show this report to whoever runs your mail.") },
    { 7, ANY, SLICE_INIT("The other server refused the message for reasons of security or policy. "
                         "Show this report to whoever runs your mail, and reach the recipient in "
                         "another way.") },
};

struct slice dsn_advice(const struct dsn_recipient *recipient)
{
    struct smtp_status status = dsn_status(recipient);
    for (size_t i = 0; i < sizeof advice / sizeof *advice; i++)
        if (advice[i].subject == status.subject &&
            (advice[i].detail == status.detail || advice[i].detail == ANY))
            return advice[i].text;
    return SLICE("Read what the other server said. If it does not help you, show this report to "
                 "whoever runs your mail.");
}
