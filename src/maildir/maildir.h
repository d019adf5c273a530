/* maildir.h: mailboxes as folders: tmp, new, cur; one file a message.
 *
 * A message is written to tmp, synced, linked into new under a name that nobody else
 * can have, and the folder is synced: when maildir_commit() returns ERR_OK it survives
 * power loss. Folders are made with mode 0700 where they are missing, but never the
 * root: an unmounted disk is not to be filled. Symbolic links below the root are not
 * followed. All calls block: for the worker pool. A maildir belongs to one thread at
 * a time; several processes may use one mailbox.
 */
#ifndef GODWIT_MAILDIR_MAILDIR_H
#define GODWIT_MAILDIR_MAILDIR_H

#include "base/buffer.h"
#include "base/err.h"
#include "base/moment.h"

struct maildir;
struct maildir_message;

/* Maildir++ quota; 0: no limit. */
struct maildir_quota {
    uint64_t bytes;
    uint64_t messages;
};

/* Whether a user's or domain's name may be part of a path: not empty, no "/", no
 * control, no dot at its front, at most 200 octets, UTF-8. Names are only ever names
 * of mailboxes (HOSTILE 52). */
bool maildir_name_is_safe(struct slice name);

/* Opens the mailbox at root/below, making what is missing of `below`, each part of
 * which must be safe. ERR_ABSENT: no root; ERR_INVALID: a part that is not safe;
 * ERR_DENIED, ERR_FULL, ERR_IO, ERR_DESCRIPTORS, ERR_MEMORY. */
enum err maildir_open(const char *root, struct slice below, struct maildir **out);

enum maildir_missing {
    MAILDIR_MAKE,
    MAILDIR_LEAVE, /* only look: ERR_ABSENT when a folder of it is missing */
};

/* Opens the mailbox of an address. The template is an absolute path in which {user} and
 * {domain} stand for those of the address, unquoted, in lower case, the domain as
 * A-labels; what stands before the first of them, or the parent, is the root. *path gets
 * the place appended, for people; after an error it may be cut. As maildir_open();
 * ERR_INVALID: a part of the address cannot be a folder's name. */
enum err maildir_open_of(struct slice template, struct slice address,
                         enum maildir_missing missing, struct buffer *path,
                         struct maildir **out);

/* NULL inside is allowed. */
void maildir_close(struct maildir **maildir);

/* Whether a message of this size keeps within the quota (always true for none). What
 * is in the mailbox is counted from the file maildirsize, which is made anew when it
 * is missing, long, of another quota, or old and says that there is no room. */
enum err maildir_fits(struct maildir *maildir, const struct maildir_quota *quota,
                      uint64_t size, struct moment now, bool *out_fits);

/* Notes in maildirsize that a message came; only where there is a quota. */
enum err maildir_account(struct maildir *maildir, const struct maildir_quota *quota,
                         uint64_t size);

/* A message in tmp. `host` is ours; it becomes part of the name. */
enum err maildir_create(struct maildir *maildir, struct slice host, struct moment now,
                        struct maildir_message **out);

/* ERR_FULL, ERR_IO. After an error only abort. */
enum err maildir_append(struct maildir_message *message, struct slice bytes);

/* Makes it visible and durable; takes the message (*message becomes NULL), also when
 * it fails: then nothing is visible. */
enum err maildir_commit(struct maildir_message **message);

/* Removes it; NULL inside is allowed. */
void maildir_abort(struct maildir_message **message);

#endif
