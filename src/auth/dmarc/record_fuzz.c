/* record_fuzz.c: a record of any bytes: its tags are read to the end, and one that may be
 * acted upon has a policy. */
#include "auth/dmarc/record.h"
#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_make(data, size);
    struct cursor c = cursor_over(text);
    struct dmarc_record record;
    struct dmarc_tag tag;
    enum dmarc_tag_result result;
    size_t tags = 0;
    while ((result = dmarc_tag_next(&c, &tag)) != DMARC_TAG_END) {
        must(tag.value.len > 0 && slice_find(tag.value, ';') == SLICE_NOT_FOUND);
        must((result == DMARC_TAG) == (tag.name.len > 0));
        must(++tags <= size);
    }
    if (!dmarc_record_parse(text, &record))
        return 0;
    must(tags > 0);
    if (dmarc_record_settle(&record)) {
        must(record.domain.state == DMARC_TAG_VALID);
        must(record.subdomains.state != DMARC_TAG_INVALID &&
             record.non_existent.state != DMARC_TAG_INVALID);
        must(dmarc_record_settle(&record));
    }
    return 0;
}
