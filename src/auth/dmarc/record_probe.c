/* record_probe.c: prints the tags of the record on standard input: "name<TAB>value" a line,
 * "-<TAB>text" for what is no tag. Exit code 1: it is no DMARC record. */
#include "auth/dmarc/record.h"

#include <stdio.h>

int main(void)
{
    char text[8192];
    size_t len = fread(text, 1, sizeof text, stdin);
    struct slice record = slice_make(text, len);
    struct cursor c = cursor_over(record);
    struct dmarc_record parsed;
    struct dmarc_tag tag;
    enum dmarc_tag_result result;
    if (!dmarc_record_parse(record, &parsed))
        return 1;
    while ((result = dmarc_tag_next(&c, &tag)) != DMARC_TAG_END) {
        if (result == DMARC_TAG_NONE)
            tag.name = SLICE("-");
        printf("%.*s\t%.*s\n", (int)tag.name.len, tag.name.data, (int)tag.value.len,
               tag.value.data);
    }
    return 0;
}
