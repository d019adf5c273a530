/* reader_private.h: from the tree to the snapshot, by tables of keys.
 *
 * A table says for each key its name, type, place in the struct, default and range;
 * it drives the reading, the messages, what `config show` fills in, and the schema.
 */
#ifndef GODWIT_CONFIG_READER_PRIVATE_H
#define GODWIT_CONFIG_READER_PRIVATE_H

#include "config/config.h"
#include "config/tree_private.h"

struct snapshot {
    struct config config;        /* first: a config is its snapshot's beginning */
    struct arena arena;
    struct node *tree;           /* completed: what config_show() prints */
    struct slice file;
    uint32_t references;         /* atomic */
};

struct reader {
    struct snapshot *snapshot;
    struct arena *arena;
    const struct config_flags *flags;
    struct config_error *error;
    enum err result;             /* ERR_OK until something failed */
};

struct key;

struct key_type {
    const char *expected;        /* for people: "a duration such as 30s, 5m or 2h" */
    /* Reads the node into `place`; false after reader_fail() or reader_memory(). */
    bool (*read)(struct reader *r, const struct key *key, struct node *node, void *place);
    /* Appends the members of the key's JSON schema, without braces. */
    void (*schema)(const struct key *key, struct buffer *out);
    enum node_kind kind;         /* what a default is made as */
};

struct choice {
    const char *name;            /* NULL ends the list */
    uint32_t value;
};

struct key {
    const char *name;            /* NULL ends the table */
    const struct key_type *type;
    size_t offset;               /* of the value in the struct that the table is for */
    const char *fallback;        /* as one would write it; lists: parted by spaces */
    const char *help;
    uint64_t min;
    uint64_t max;                /* 0: as much as the type holds */
    const struct choice *choices;
    const struct key *keys;      /* of a map, and of the items of a list of maps */
    bool is_required;
};

extern const struct key config_keys[];

/* Reads a map by its table: refuses keys that are not in it, fills in defaults. */
bool reader_map(struct reader *r, struct node *map, const struct key *keys, void *base);

/* Each sets the error once, and returns false to be handed on. The message is put
 * behind the place and the path of the node. */
bool reader_fail(struct reader *r, const struct node *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same, pointing at the key in place of its value. */
bool reader_fail_name(struct reader *r, const struct node *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool reader_memory(struct reader *r);

/* Fails with what the type expects. */
bool reader_expected(struct reader *r, const struct key *key, const struct node *node);

/* The node is a text; else fails as reader_expected(). */
bool reader_text(struct reader *r, const struct key *key, const struct node *node);

/* The nearest of the names by edit distance, or NULL when none is near. */
struct name_list {
    const char *(*at)(const void *from, size_t index); /* NULL at the end */
    const void *from;
};
const char *nearest_name(struct slice name, const struct name_list *names);

/* Copies what the buffer holds into the arena, and frees the buffer. */
bool reader_keep(struct reader *r, struct buffer *from, struct slice *out);

/* The place of the file among those of the configuration, from 1; one that was named
 * before for the same purpose is the same. 0: there are too many, or there is no memory.
 * `key` is static. */
uint32_t reader_file(struct reader *r, const char *key, struct slice path);
bool reader_too_many_files(struct reader *r, const struct node *node);

/* dkim.c: of a domain that has been read, which stands at the node. */
bool dkim_check(struct reader *r, const struct node *node, const struct config_domain *d);

/* The types of the tables. */
extern const struct key_type type_text, type_path, type_bool, type_choice, type_either, type_count32,
    type_count64, type_size32, type_size64, type_duration, type_hostname, type_networks,
    type_addresses, type_address, type_section, type_listeners, type_domains, type_routes,
    type_deliver, type_certificates, type_users, type_aliases,
    type_senders, type_dkim, type_rules, type_milters, type_route_to, type_mailbox, type_names, type_mailboxes,
    type_sites;

/* Parsers of values that stand alone. */
bool value_duration(struct slice text, int64_t *out_ms);
bool value_size(struct slice text, uint64_t *out_bytes);

/* Appends the members of an object schema for a table. */
void schema_of_keys(const struct key *keys, struct buffer *out);

/* hop.c: what `deliver` says beside where mail goes. */
struct hop_said {
    enum config_hop_tls tls;
    struct slice ca;
    struct slice name;
    struct config_certificate certificate;
    struct config_auth auth;
};
extern const struct choice hop_levels[];
extern const struct key hop_certificate_keys[], hop_auth_keys[];
/* Puts it into `out`, whose way is known, with what follows from it. False after
 * reader_fail() or reader_memory(). */
bool hop_settle(struct reader *r, const struct node *map, const struct hop_said *said,
                struct config_deliver *out);

/* Makes a snapshot from YAML text; `file` names it in messages; NULL data of `yaml`
 * for none. As config_load(), which it serves. */
enum err config_load_text(struct slice yaml, struct slice file,
                          const struct config_flags *flags,
                          const struct config **out_config,
                          struct config_error *out_error);

/* Reads YAML into a tree: its root is a map, perhaps empty. */
bool yaml_read(struct reader *r, struct slice text, struct node **out_root);

/* Puts the flags into the tree, and the defaults that depend on something. */
bool tree_complete(struct reader *r, struct node *root);

/* A whole file of at most `max` bytes into the arena; only a regular one. */
enum err file_read(struct arena *arena, struct slice path, size_t max,
                   struct slice *out_text);

/* A local part as written (quoted, where it has to be) to what it means, lower case, in
 * the snapshot's arena. ERR_INVALID when it is none; ERR_MEMORY. */
enum err reader_local_part(struct reader *r, struct slice written, struct slice *out);

/* Whether mail to a local part of a domain of ours goes to somebody or an alias. */
bool domain_has_mailbox(const struct config_domain *domain, struct slice local);

/* Whether mail to a canonical address can go somewhere: elsewhere, or to somebody here. */
bool address_exists(const struct config *c, struct slice address);

/* The shipped limits of large providers: lines of YAML, NULL at the end. */
extern const char *const providers_lines[];

/* Whether all aliases of a domain, which stands at the node, lead to somebody. False
 * after reader_fail() or reader_memory(). All domains have been read. */
bool aliases_check(struct reader *r, const struct node *domain_node,
                   const struct config_domain *domain);

/* Checks what concerns several keys, and settles what follows from others. */
bool snapshot_check(struct reader *r);

#endif
