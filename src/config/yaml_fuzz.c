/* yaml_fuzz.c: any bytes as a configuration; what is taken must show and load again. */
#include "config/reader_private.h"

#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config_flags flags = {
        .next_hop = SLICE("hop.example:25"), .hold = true, .capture = true,
    };
    /* The first byte chooses: with flags or without. */
    bool flagged = size > 0 && (data[0] & 1) != 0;
    const struct config *c = NULL;
    const struct config *again = NULL;
    struct config_error error;
    struct buffer shown;
    if (size == 0 || config_load_text(slice_make(data + 1, size - 1), SLICE("fuzz"),
                                      flagged ? &flags : NULL, &c, &error) != ERR_OK)
        return 0;
    must(config_route(c, SLICE("a.example")) != NULL);
    buffer_init(&shown, 64 << 20);
    config_show(c, &shown);
    must(!shown.overflow);
    must(config_load_text(buffer_slice(&shown), SLICE("shown"), NULL, &again, &error) ==
         ERR_OK);
    must(again->domains.count == c->domains.count);
    must(again->listeners_count == c->listeners_count);
    config_drop(&again);
    config_drop(&c);
    buffer_free(&shown);
    return 0;
}
