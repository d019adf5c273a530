/* place.c: flags before the environment before files before defaults. */
#include "cli/place.h"

#include "cli/tool.h"

#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#define PLACE_QUICK_START "./godwit-data"
#define DEFAULT_SERVER "127.0.0.1:2525"

static const char *from_environment(const char *name)
{
    const char *value = getenv(name);
    return value == NULL || value[0] == '\0' ? NULL : value;
}

const char *place_config_file(const char *said)
{
    if (said != NULL)
        return said;
    said = from_environment("GODWIT_CONFIG");
    if (said != NULL)
        return said;
    return access(PLACE_CONFIG_FILE, R_OK) == 0 ? PLACE_CONFIG_FILE : "";
}

int place_load(const char *config_file, const char *data, const struct config **out)
{
    struct config_error error;
    if (data == NULL)
        data = from_environment("GODWIT_DATA");
    struct config_flags flags = { .data = slice_from_string(data) };
    struct slice file = slice_from_string(place_config_file(config_file));
    if (config_load(file, &flags, out, &error) == ERR_OK)
        return 0;
    cli_complain("%s", error.text);
    return EX_CONFIG;
}

int place_data(const char *config_file, const char *data, char **out_data)
{
    const struct config *config;
    if (data == NULL)
        data = from_environment("GODWIT_DATA");
    char *copy = NULL;
    const char *said_file = config_file != NULL ? config_file
                                                : from_environment("GODWIT_CONFIG");
    if (data == NULL && said_file == NULL && access(PLACE_QUICK_START "/control.sock", F_OK) == 0)
        data = PLACE_QUICK_START; /* a quick start runs from this very folder */
    if (data != NULL) {
        copy = slice_to_string(slice_from_string(data));
    } else {
        int code = place_load(config_file, NULL, &config);
        if (code != 0)
            return code;
        copy = slice_to_string(config->data);
        config_drop(&config);
    }
    if (copy == NULL)
        return EX_OSERR;
    *out_data = copy;
    return 0;
}

/* A socket that is bound to every address is reached by the loopback one. */
static void append_reachable(struct buffer *out, struct net_address address)
{
    uint16_t port = net_address_port(&address);
    struct net_address loopback;
    bool any_v4 = address.any.sa_family == AF_INET &&
                  address.v4.sin_addr.s_addr == htonl(INADDR_ANY);
    bool any_v6 = address.any.sa_family == AF_INET6 &&
                  IN6_IS_ADDR_UNSPECIFIED(&address.v6.sin6_addr);
    if ((any_v4 || any_v6) && net_host_parse(SLICE("127.0.0.1"), port, &loopback))
        address = loopback;
    net_address_append(out, &address);
}

/* The submission listener, which lets programs be lax, before any other. */
static const struct config_listener *choose(const struct config *config)
{
    for (size_t i = 0; i < config->listeners_count; i++)
        if (config->listeners[i].role == CONFIG_ROLE_SUBMISSION && !config->listeners[i].proxy)
            return &config->listeners[i];
    for (size_t i = 0; i < config->listeners_count; i++)
        if (!config->listeners[i].proxy)
            return &config->listeners[i];
    return NULL;
}

bool place_server(const struct config *config, struct buffer *out)
{
    const char *said = from_environment("GODWIT_SERVER");
    const struct config_listener *listener = config == NULL ? NULL : choose(config);
    if (said != NULL)
        buffer_append_string(out, said);
    else if (listener != NULL)
        append_reachable(out, listener->address);
    else
        buffer_append_string(out, DEFAULT_SERVER);
    return !out->overflow;
}
