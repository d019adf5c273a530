/* send.c: mail of the dialects, composed and handed in over SMTP like anybody's: transcript,
 * faults and inboxes are the same. */
#include "api/api_private.h"

#include "content/compose.h"
#include "net/listener.h"
#include "sandbox/submit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MESSAGE_MAX = 100 * 1024 * 1024 };

struct api_sending {
    struct api *api;
    struct api_request *request;
    struct submit submit;
    send_done_fn *done;
    struct arena arena;       /* addresses */
};

static void sending_free(struct api_sending *s)
{
    submit_end(&s->submit);
    arena_free(&s->arena);
    free(s);
}

/* "Ok: queued as ID" */
static struct slice id_in(const char *text)
{
    const char *at = strstr(text, "queued as ");
    struct slice id = slice_from_string(at == NULL ? "" : at + sizeof "queued as " - 1);
    return slice_part(id, 0, slice_find(id, ' '));
}

static void on_done(struct submit *submit)
{
    struct api_sending *s = container_of(submit, struct api_sending, submit);
    struct api_request *r = s->request;
    char why[SUBMIT_TEXT_MAX + 20];
    snprintf(why, sizeof why, "%u %s", submit->code, submit->text);
    r->sending = NULL;
    s->done(s->api, r, submit->accepted > 0 ? NULL : why, id_in(submit->text));
    sending_free(s);
    r->answered(r);
}

static void add_recipient(struct api_sending *s, const char *address)
{
    struct slice kept;
    if (address != NULL && s->submit.recipients_count < SUBMIT_RECIPIENTS_MAX &&
        arena_copy(&s->arena, slice_from_string(address), &kept))
        s->submit.recipients[s->submit.recipients_count++] = kept;
}

static struct api_sending *sending_new(struct api *api, struct api_request *r,
                                       send_done_fn *done)
{
    struct api_sending *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->api = api;
    s->request = r;
    s->done = done;
    arena_init(&s->arena, 4 * 1024 * 1024);
    buffer_init(&s->submit.octets, MESSAGE_MAX);
    s->submit.loop = api->options.loop;
    s->submit.hostname = api->options.hostname;
    s->submit.done = on_done;
    return s;
}

static bool begin(struct api_sending *s, const char *sender, const char *why)
{
    struct api *api = s->api;
    struct api_request *r = s->request;
    arena_copy(&s->arena, slice_from_string(sender), &s->submit.sender);
    if (why == NULL && s->submit.recipients_count == 0)
        why = "there is no recipient";
    if (why == NULL && s->submit.to.len == 0 &&
        listener_address(api->options.smtp, &s->submit.to) != ERR_OK)
        why = "SMTP cannot be reached";
    if (why == NULL) {
        r->sending = s;
        submit_begin(&s->submit);
        if (s->submit.talk != NULL)
            return false;
        r->sending = NULL;
        why = "out of memory";
    }
    s->done(api, r, why, slice_make(NULL, 0));
    sending_free(s);
    return true;
}

bool send_mail(struct api *api, struct api_request *r, json_t *mail, send_done_fn *done)
{
    static const char *const lists[] = { "to", "cc", "bcc" };
    struct api_sending *s = sending_new(api, r, done);
    size_t i;
    json_t *one;
    if (s == NULL) {
        json_decref(mail);
        return done(api, r, "out of memory", slice_make(NULL, 0));
    }
    for (size_t l = 0; l < 3; l++)
        json_array_foreach(json_object_get(mail, lists[l]), i, one)
            add_recipient(s, json_text(one, "address"));
    const char *why = content_compose(mail, api->options.hostname, &s->submit.octets);
    bool answered = begin(s, json_text(json_object_get(mail, "from"), "address"), why);
    json_decref(mail);
    return answered;
}

bool send_octets(struct api *api, struct api_request *r, const struct send_octets *wish,
                 send_done_fn *done)
{
    struct api_sending *s = sending_new(api, r, done);
    size_t i;
    json_t *one;
    if (s == NULL)
        return done(api, r, "out of memory", slice_make(NULL, 0));
    json_array_foreach(wish->recipients, i, one)
        add_recipient(s, json_string_value(one));
    if (wish->to != NULL)
        s->submit.to = *wish->to;
    buffer_append(&s->submit.octets, wish->octets);
    return begin(s, wish->sender, s->submit.octets.overflow ? "the message is too large" : NULL);
}

void send_end(struct api_request *r)
{
    if (r->sending != NULL)
        sending_free(r->sending);
    r->sending = NULL;
}
