/* fake_file_private.h: for the tests: a configuration from a text, and files to read. */
#ifndef GODWIT_CONFIG_FAKE_FILE_PRIVATE_H
#define GODWIT_CONFIG_FAKE_FILE_PRIVATE_H

#include "config/reader_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static inline const struct config *load(const char *yaml,
                                               const struct config_flags *flags)
{
    const struct config *c = NULL;
    struct config_error error = { .line = 0 };
    enum err result = config_load_text(slice_from_string(yaml), SLICE("godwit.yaml"), flags,
                                       &c, &error);
    if (result != ERR_OK)
        print_error("%s\n", error.text);
    assert_int_equal(result, ERR_OK);
    return c;
}

static inline void assert_slice(struct slice s, const char *text)
{
    assert_int_equal(s.len, strlen(text));
    assert_memory_equal(s.data == NULL ? "" : s.data, text, s.len);
}

/* `name` is a template of mkstemp(). */
static inline void write_file(char *name, const char *text)
{
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

#endif
