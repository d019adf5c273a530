#include "transport/mtasts/known.h"

#include <stddef.h>

enum {
    ASKED_MIN_S = 60,           /* records with shorter lives are not asked for more often */
    ASKED_MAX_S = 3600,
    ASKED_ABSENT_S = 300,
    ASKED_FAILED_S = 60,
    RETRY_MS = 5 * MINUTE_MS,   /* RFC 8461 3.3: five minutes or longer */
    RECORD_RETRY_MS = HOUR_MS,  /* a refresh that found no record */
    REFRESH_MS = DAY_MS,        /* RFC 8461 3.3: once a day */
    REFRESH_AGE_MIN_S = 3600,   /* what lives shorter is fetched when it is wanted */
    AGE_MIN_S = 60,             /* what is over at once holds for the mail that waited for it,
                                   and is not fetched for each message */
};

/* A clock that was set back makes nothing older. */
static int64_t age_ms(const struct known *k, struct moment now)
{
    int64_t age = now.wall_ms - k->fetched_wall_ms;
    return age < 0 ? 0 : age;
}

static int64_t life_ms(const struct mtasts_policy *policy)
{
    uint32_t age_s = mtasts_policy_age_s(policy);
    return (age_s < AGE_MIN_S ? AGE_MIN_S : age_s) * SECOND_MS;
}

struct mtasts_policy *known_live(const struct known *k, struct moment now)
{
    bool is_live = k->policy != NULL && age_ms(k, now) <= life_ms(k->policy);
    return is_live ? k->policy : NULL;
}

int64_t known_expires_wall_ms(const struct known *k)
{
    return k->policy == NULL ? 0 : k->fetched_wall_ms + life_ms(k->policy);
}

/* A policy whose time is over is asked for at once. */
bool known_is_fresh(const struct known *k, struct moment now)
{
    return now.mono_ms < k->asked_until_mono_ms &&
           (k->policy == NULL || known_live(k, now) != NULL);
}

static uint32_t clamp(uint32_t ttl_s)
{
    if (ttl_s < ASKED_MIN_S)
        return ASKED_MIN_S;
    return ttl_s > ASKED_MAX_S ? ASKED_MAX_S : ttl_s;
}

static bool same(const struct mtasts_id *a, const struct mtasts_id *b)
{
    return strcmp(a->text, b->text) == 0;
}

/* What has had its time is forgotten, or it would be asked for each time. */
static void forget_old(struct known *k, struct moment now)
{
    if (k->policy != NULL && known_live(k, now) == NULL)
        mtasts_policy_drop(&k->policy);
}

bool known_take_record(struct known *k, enum known_record record,
                       const struct mtasts_id *id, uint32_t ttl_s, bool refresh,
                       struct moment now)
{
    static const uint32_t usual_s[] = { [RECORD_ABSENT] = ASKED_ABSENT_S,
                                        [RECORD_FAILED] = ASKED_FAILED_S };
    uint32_t asked_s = record == RECORD_FOUND ? clamp(ttl_s) : usual_s[record];
    k->asked_until_mono_ms = now.mono_ms + asked_s * SECOND_MS;
    forget_old(k, now);
    if (record != RECORD_FOUND) {
        if (refresh)
            k->retry_mono_ms = now.mono_ms + RECORD_RETRY_MS;
        return false;
    }
    if (same(id, &k->failed) && now.mono_ms < k->retry_mono_ms)
        return false;
    return k->policy == NULL || !same(id, &k->id) || refresh;
}

void known_take_policy(struct known *k, struct mtasts_policy *policy,
                       const struct mtasts_id *id, struct moment now)
{
    if (policy == NULL) {
        k->failed = *id;
        k->retry_mono_ms = now.mono_ms + RETRY_MS;
        return;
    }
    mtasts_policy_drop(&k->policy);
    k->policy = policy;
    k->id = *id;
    k->fetched_wall_ms = now.wall_ms;
    k->failed = (struct mtasts_id){ "" };
}

int64_t known_refresh_wall_ms(const struct known *k, struct moment now)
{
    if (known_live(k, now) == NULL || mtasts_policy_age_s(k->policy) < REFRESH_AGE_MIN_S)
        return INT64_MAX;
    int64_t half = mtasts_policy_age_s(k->policy) * SECOND_MS / 2;
    int64_t due = k->fetched_wall_ms + (half < REFRESH_MS ? half : REFRESH_MS);
    int64_t retry = moment_wall_of(now, k->retry_mono_ms);
    return k->retry_mono_ms != 0 && retry > due ? retry : due;
}

void known_describe(const struct known *k, struct buffer *out)
{
    buffer_append_number(out, (uint64_t)k->fetched_wall_ms);
    buffer_append_byte(out, ' ');
    buffer_append_string(out, k->id.text);
    buffer_append_byte(out, '\n');
    mtasts_policy_write(k->policy, out);
}

bool known_recall(struct known *k, struct slice text, struct moment now)
{
    struct slice head, fetched;
    uint64_t wall_ms;
    struct known read = { .policy = NULL };
    if (!slice_split(&text, '\n', &head) || !slice_split(&head, ' ', &fetched) ||
        !slice_to_number(fetched, INT64_MAX, &wall_ms) || head.len > MTASTS_ID_MAX ||
        mtasts_policy_read(text, &read.policy) != NULL)
        return false;
    memcpy(read.id.text, head.data, head.len);
    read.fetched_wall_ms = (int64_t)wall_ms;
    if (known_live(&read, now) == NULL) {
        mtasts_policy_drop(&read.policy);
        return false;
    }
    mtasts_policy_drop(&k->policy);
    *k = read;
    return true;
}
