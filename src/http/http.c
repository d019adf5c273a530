/* http.c: the thread that drives libcurl's multi interface. Requests come in by its
 * mailbox, whose descriptor wakes it; nothing but this thread touches a handle. */
#include "base/must.h"
#include "event/mailbox.h"
#include "http/http_private.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { WAIT_MS = 60 * 1000 };

struct http {
    struct http_options options;
    CURLM *multi;
    struct mailbox mailbox;
    struct list active;
    pthread_t thread;
    struct task stop;
    bool stopped; /* the thread's own */
};

static pthread_once_t begun = PTHREAD_ONCE_INIT;

static void begin_curl(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static void run_done(struct task *task)
{
    struct http_request *r = container_of(task, struct http_request, task);
    r->done(r);
}

/* Hands it back; it must have its answer. */
static void finish(struct http_request *r)
{
    list_remove(&r->node);
    http_transfer_free(&r->transfer);
    r->task.run = run_done;
    home_post(r->home, &r->task);
}

static void cancel(struct http_request *r)
{
    r->result = HTTP_CANCELLED;
    snprintf(r->trouble, sizeof r->trouble, "it was stopped");
    finish(r);
}

static void run_ask(struct task *task)
{
    struct http_request *r = container_of(task, struct http_request, task);
    struct http *h = r->http;
    if (h->stopped) {
        cancel(r);
        return;
    }
    if (!http_transfer_make(r, &h->options, &r->transfer)) {
        finish(r);
        return;
    }
    if (curl_multi_add_handle(h->multi, r->transfer->easy) != CURLM_OK) {
        http_transfer_judge(r->transfer, CURLE_OUT_OF_MEMORY);
        finish(r);
        return;
    }
    list_append(&h->active, &r->node);
}

void http_ask(struct http *http, struct http_request *request)
{
    request->http = http;
    request->node = (struct list_node){ NULL, NULL };
    request->transfer = NULL;
    request->status = 0;
    request->trouble[0] = '\0';
    request->type = (struct buffer){ .max = 0 };
    request->location = (struct buffer){ .max = 0 };
    request->answer = (struct buffer){ .max = 0 };
    request->task.run = run_ask;
    home_post(&http->mailbox.home, &request->task);
}

static void take_ended(struct http *h)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(h->multi, &left)) != NULL) {
        char *of = NULL;
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode code = message->data.result;
        must(curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &of) == CURLE_OK);
        struct http_request *r = (struct http_request *)(void *)of;
        curl_multi_remove_handle(h->multi, r->transfer->easy);
        http_transfer_judge(r->transfer, code);
        finish(r);
    }
}

static void run_stop(struct task *task)
{
    struct http *h = container_of(task, struct http, stop);
    struct list_node *node;
    h->stopped = true;
    while ((node = list_first(&h->active)) != NULL) {
        struct http_request *r = container_of(node, struct http_request, node);
        curl_multi_remove_handle(h->multi, r->transfer->easy);
        cancel(r);
    }
}

static void *http_thread(void *argument)
{
    struct http *h = argument;
    sigset_t all;
    sigfillset(&all); /* a connection that breaks is told by errno, not by SIGPIPE */
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    while (!h->stopped) {
        struct curl_waitfd mail = { .fd = h->mailbox.descriptor, .events = CURL_WAIT_POLLIN };
        int running;
        curl_multi_perform(h->multi, &running);
        take_ended(h);
        curl_multi_poll(h->multi, &mail, 1, WAIT_MS, NULL);
        mailbox_run(&h->mailbox);
    }
    while (mailbox_run(&h->mailbox)) { /* what came behind the end is cancelled */
    }
    return NULL;
}

static void release(struct http *h)
{
    if (h->multi != NULL)
        curl_multi_cleanup(h->multi);
    mailbox_close(&h->mailbox);
    free(h);
}

enum err http_open(const struct http_options *options, struct http **out)
{
    struct http *h = calloc(1, sizeof *h);
    if (h == NULL)
        return ERR_MEMORY;
    pthread_once(&begun, begin_curl);
    h->options = *options;
    h->stop.run = run_stop;
    h->mailbox.descriptor = -1;
    list_init(&h->active);
    enum err error = mailbox_open(&h->mailbox, true);
    if (error == ERR_OK) {
        h->multi = curl_multi_init();
        error = h->multi == NULL ? ERR_MEMORY : ERR_OK;
    }
    if (error == ERR_OK && pthread_create(&h->thread, NULL, http_thread, h) != 0)
        error = ERR_MEMORY;
    if (error == ERR_OK)
        *out = h;
    else
        release(h);
    return error;
}

void http_close(struct http **http)
{
    struct http *h = *http;
    *http = NULL;
    if (h == NULL)
        return;
    home_post(&h->mailbox.home, &h->stop);
    pthread_join(h->thread, NULL);
    release(h);
}

void http_request_clear(struct http_request *request)
{
    buffer_free(&request->type);
    buffer_free(&request->location);
    buffer_free(&request->answer);
}
