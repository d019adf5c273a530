/* identity.c: the kernel and the user database, asked once. */
#include "cli/identity.h"

#include "wire/smtp/address.h"

#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

void identity_append_hostname(struct buffer *out)
{
    char name[SMTP_DOMAIN_MAX + 1];
    if (gethostname(name, sizeof name) != 0 || memchr(name, '\0', sizeof name) == NULL ||
        !smtp_domain_is_valid(slice_from_string(name)))
        buffer_append(out, SLICE("localhost"));
    else
        buffer_append_string(out, name);
}

void identity_append_user(struct buffer *out)
{
    const struct passwd *user = getpwuid(getuid());
    struct smtp_address address;
    char trial[SMTP_LOCAL_MAX + 16];
    int len = user == NULL ? 0 : snprintf(trial, sizeof trial, "%s@localhost", user->pw_name);
    bool fits = len > 0 && (size_t)len < sizeof trial &&
                smtp_address_parse(slice_make(trial, (size_t)len), SMTP_UTF8_REFUSED,
                                   &address) == SMTP_PATH_OK;
    if (fits)
        buffer_append_string(out, user->pw_name);
    else
        buffer_append(out, SLICE("nobody"));
}
