/* box_queue.c: the third process of a sandbox that may release what it has captured: godwit as the
 * MTA that it is, with a queue of its own. It takes mail from this machine alone. */
#include "daemon/box_private.h"
#include "daemon/serve.h"

#include "net/listener.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

bool box_has_queue(const struct box_serve *options)
{
    return options->relay.len > 0 || options->relay_config.len > 0;
}

/* NULL: no memory. */
static char *folder_of(const struct box_shared *s)
{
    char *folder = NULL;
    return asprintf(&folder, "%s/queue", s->folder) < 0 ? NULL : folder;
}

static struct config_flags flags_of(const struct box_shared *s, struct slice *listen,
                                    const char *folder)
{
    return (struct config_flags){
        .hostname = s->options->flags.hostname, .data = slice_from_string(folder),
        .next_hop = s->options->relay, .listen = listen, .listen_count = 1,
    };
}

int box_queue_bind(struct box_shared *s)
{
    const struct config *config = NULL;
    struct config_error error;
    struct net_address address;
    struct buffer text = { .memory = s->queue_address, .capacity = sizeof s->queue_address,
                           .max = sizeof s->queue_address - 1 };
    struct slice any_port = SLICE("127.0.0.1:0");
    char *folder = folder_of(s);
    struct config_flags flags = flags_of(s, &any_port, folder);
    if (folder == NULL ||
        config_load(s->options->relay_config, &flags, &config, &error) != ERR_OK) {
        fprintf(stderr, "godwit: %s\n", folder == NULL ? "out of memory" : error.text);
        free(folder);
        return EX_CONFIG;
    }
    int code = sockets_bind(config, &s->queue);
    if (code == 0 && listener_address(sockets_fd(&s->queue, 0, 0), &address) == ERR_OK)
        net_address_append(&text, &address);
    config_drop(&config);
    free(folder);
    return code;
}

int box_queue_run(struct box_shared *s)
{
    char *folder = folder_of(s);
    struct slice listen = slice_from_string(s->queue_address);
    const struct daemon_options options = {
        .config_file = s->options->relay_config, .flags = flags_of(s, &listen, folder),
        .sockets = &s->queue,
    };
    int code = folder == NULL ? EX_OSERR : daemon_serve(&options);
    free(folder);
    return code;
}
