/* config.h: one checked, immutable configuration.
 *
 * A snapshot is made from defaults, a YAML file and flags, checked as a whole, and
 * never changes afterwards; a reload makes a new one. It is reference-counted: who
 * keeps a pointer to it, or into it, over a callback holds a reference. All slices
 * and arrays lie in the snapshot's own memory. Any thread may read.
 */
#ifndef GODWIT_CONFIG_CONFIG_H
#define GODWIT_CONFIG_CONFIG_H

#include "base/arena.h"
#include "base/err.h"
#include "base/table.h"
#include "net/address.h"
#include "net/network.h"
#include "wire/smtp/content.h"
#include "wire/smtp/reply.h"

enum config_role {
    CONFIG_ROLE_RELAY,      /* server to server, port 25 */
    CONFIG_ROLE_SUBMISSION, /* from the users' programs, 587 and 465 */
};

enum config_tls {
    CONFIG_TLS_STARTTLS,    /* offered */
    CONFIG_TLS_REQUIRED,    /* offered, and without it there is no mail */
    CONFIG_TLS_IMPLICIT,    /* from the first byte: RFC 8314 3 */
    CONFIG_TLS_NONE,
};

enum config_auth_level {
    CONFIG_AUTH_REQUIRED,   /* without it no mail, but from clients that may relay */
    CONFIG_AUTH_OFFERED,
    CONFIG_AUTH_NONE,
};

/* Files in PEM form; not read by the configuration. */
struct config_certificate {
    struct slice cert;      /* the certificate, then its issuers */
    struct slice key;       /* or empty: it is in the same file */
};

struct config_listener {
    struct net_address address;
    enum config_role role;
    enum line_end_rule bare_line_end; /* default: reject on relay, convert on submission */
    bool proxy;             /* expects a PROXY header; only from `proxy_from` networks */
    enum config_tls tls;
    enum config_auth_level auth;  /* default: required on submission, none on relay; none where
                               nobody can log in */
    bool auth_in_clear;     /* also without TLS */
};

/* A file that somebody else opens, in the order in which they are named. */
struct config_file {
    struct slice path;
    const char *key;        /* "deliver.auth.password_file"; static */
    struct config_file *next;
};

enum { CONFIG_FILES_MAX = 1000 };

/* TLS with a next hop. */
enum config_hop_tls {
    CONFIG_HOP_CLEAR,
    CONFIG_HOP_OPPORTUNISTIC, /* where it can be had, whoever it is */
    CONFIG_HOP_REQUIRED,      /* whoever it is; else the mail waits */
    CONFIG_HOP_VERIFIED,      /* and with a certificate that is the host's */
    CONFIG_HOP_IMPLICIT,      /* verified, from the first byte: RFC 8314 3 */
};

enum config_mechanism {
    CONFIG_AUTH_ANY,          /* that proves a password */
    CONFIG_AUTH_SCRAM_SHA_256,
    CONFIG_AUTH_SCRAM_SHA_1,
    CONFIG_AUTH_PLAIN,
    CONFIG_AUTH_LOGIN,
    CONFIG_AUTH_OAUTHBEARER,
    CONFIG_AUTH_XOAUTH2,
};

/* Who we are, to a next hop. */
struct config_auth {
    struct slice user;        /* empty: nothing is said of us */
    struct slice password_file;
    enum config_mechanism mechanism;
    enum config_hop_tls over; /* the least that it is said over: CLEAR, REQUIRED, VERIFIED */
};

struct config_hop {
    enum config_hop_tls tls;
    struct slice name;        /* that its certificate has; empty: the host's */
    struct config_auth auth;
    /* Places in config.files, from 1; 0: none. */
    uint32_t ca_file;         /* who is believed; none: the machine's */
    uint32_t cert_file;       /* what is shown of us */
    uint32_t key_file;
    uint32_t password_file;
};

/* Where mail for some recipients goes. */
enum config_way {
    CONFIG_WAY_MX,
    CONFIG_WAY_SMTP,
    CONFIG_WAY_LMTP,
    CONFIG_WAY_MAILDIR,
    CONFIG_WAY_CAPTURE,     /* a Maildir that takes everything, named on the console */
    CONFIG_WAY_DISCARD,
};

struct config_deliver {
    enum config_way way;
    struct slice host;      /* SMTP and LMTP: a name or an address, without brackets;
                               LMTP: or a socket's path, which begins with '/' */
    uint16_t port;          /* 0 for a path */
    struct slice path;      /* Maildir: may hold {user} and {domain}; capture */
    uint64_t quota_bytes;   /* Maildir: 0 is none */
    bool downgrade;         /* 8-bit to a 7-bit hop: quoted-printable, not a bounce */
    bool downgrade_signed;  /* ... also where that breaks a signature */
    struct config_hop hop;  /* MX, SMTP, LMTP */
};

struct config_route {
    struct slice to;        /* "@example.com", "@*.example.com" (what lies under it), or
                               empty: everything */
    struct config_deliver deliver;
};

struct config_alias {
    struct slice name;      /* what a local part means, lower case; "*": every other */
    struct slice *targets;  /* whole addresses, canonical */
    size_t targets_count;
};

struct config_user {
    struct slice name;      /* what the local part means, lower case */
    struct slice address;   /* canonical */
    struct slice secret;    /* what proves a password (accounts/credential.h), or empty:
                               receives mail and cannot log in */
};

enum { CONFIG_DKIM_MAX = 4 };

/* A key that signs what a domain sends. */
struct config_dkim {
    struct slice selector;  /* canonical */
    struct slice path;
    uint32_t file;          /* the place in config.files, from 1 */
};

enum config_domain_kind {
    CONFIG_DOMAIN_LOCAL,    /* users live here; unknown ones are refused at RCPT */
    CONFIG_DOMAIN_RELAY,    /* taken for somebody else: any local part */
};

struct config_domain {
    struct table_entry entry;
    struct slice name;      /* canonical: lower case, A-labels */
    enum config_domain_kind kind;
    struct slice users_file; /* or empty: they stand in the configuration itself */
    struct config_user *users; /* sorted by name */
    size_t users_count;
    struct config_alias *aliases; /* sorted by name */
    size_t aliases_count;
    struct slice subaddress; /* a character: ann+news is ann's where it is '+'; or empty */
    struct config_alias *senders; /* addresses, and the accounts that may send as them */
    size_t senders_count;
    bool hide_client;       /* Received fields do not tell from where its accounts send */
    struct config_dkim *dkim; /* each of them signs */
    size_t dkim_count;
    bool dkim_subdomains;   /* they also sign for names under it */
    bool has_deliver;       /* else the routes decide */
    struct config_deliver deliver;
};

enum config_either {
    CONFIG_EITHER,          /* it does not matter */
    CONFIG_YES,
    CONFIG_NO,
};

enum config_then {
    CONFIG_THEN_ACCEPT,     /* and no later rule is looked at */
    CONFIG_THEN_RELAY,      /* may send anywhere, as one of relay_clients */
    CONFIG_THEN_REJECT,     /* 550 5.7.1 */
    CONFIG_THEN_DEFER,      /* 450 4.7.1 */
    CONFIG_THEN_DISCARD,
    CONFIG_THEN_HOLD,
    CONFIG_THEN_DELAY,      /* the answer takes a while; the next rules are looked at */
    CONFIG_THEN_CLOSE,      /* 421 4.7.1, and the connection goes */
};

struct config_slices {
    struct slice *all;
    size_t count;
};

struct config_dnsbl {
    struct slice zone;
    struct slice value;     /* "127.0.0.2": only what is listed as that; or empty: any */
};

/* All that is said must hold; of a list, one. Empty lists are not looked at. */
enum config_helo {                 /* a bit each */
    CONFIG_HELO_LITERAL = 1,       /* an address in brackets */
    CONFIG_HELO_BARE = 2,          /* a name without a dot */
    CONFIG_HELO_OURS = 4,          /* our host name, or a domain that mail is taken for */
    CONFIG_HELO_UNKNOWN = 8,       /* a name for which the DNS has neither address nor MX */
};

struct config_rule {
    struct network *clients;
    size_t clients_count;
    struct config_slices names;    /* by reverse look-up that leads back: "host.example",
                                      "*.example" what lies under it, "none" */
    struct config_slices helo;     /* the same, of what was said */
    uint32_t helo_is;              /* of enum config_helo, one of them; 0: any */
    struct config_slices from;     /* "a@b.example", "@b.example", "@*.b.example", "<>" */
    struct config_slices to;
    struct config_slices accounts; /* "ann@b.example", "*" any, "none" */
    struct config_dnsbl *dnsbl;    /* listed in one of them */
    size_t dnsbl_count;
    enum config_either role;       /* yes: submission */
    enum config_either tls;
    enum config_then then;
    int64_t delay_ms;
    struct slice reply;            /* of reject, defer and close: other words; or empty */
    uint32_t line;                 /* in the file; 0: not from one */
};

struct config_limits {
    uint64_t message_bytes;
    uint64_t line_bytes;
    uint64_t header_bytes;
    uint32_t header_fields;
    uint32_t hops;
    uint32_t recipients;            /* a message */
    uint32_t command_bytes;
    uint32_t errors;                /* a session */
    uint32_t junk_commands;
    uint32_t connections;           /* in all */
    uint32_t connections_per_client;
    uint64_t body_memory_bytes;     /* of all sessions together */
    int64_t future_release_ms;      /* how long submitted mail may be held; 0: not at all */
};

struct config_timeouts {            /* milliseconds; RFC 5321 4.5.3.2 */
    int64_t command;                /* server: for one whole command */
    int64_t stress;                 /* server: the same, and the grace, under stress */
    int64_t data_block;             /* server: grace before the least rate holds */
    uint64_t data_bytes_per_second; /* server: the least rate, 0 is none */
    int64_t connect;                /* client */
    int64_t greeting;
    int64_t mail;
    int64_t rcpt;
    int64_t data_start;
    int64_t data_send;
    int64_t data_end;
    int64_t idle;                   /* client: a connection without work */
    int64_t attempt_total;          /* client: one whole attempt */
};

struct config_queue {
    uint64_t recipients_max;
    int64_t retry_first_ms;
    int64_t retry_max_ms;
    uint32_t retry_factor_percent;  /* 200: doubles */
    uint32_t retry_jitter_percent;  /* 20: the delay times 0.8 to 1.2 */
    int64_t lifetime_ms;
    int64_t report_lifetime_ms;     /* of bounces */
    int64_t delay_notice_ms;        /* the sender is told of the delay; 0: never */
    bool hold;                      /* nothing is attempted until released */
};

enum config_verdict {
    CONFIG_VERDICT_NOTE,    /* in the results, and nothing else */
    CONFIG_VERDICT_HOLD,
    CONFIG_VERDICT_REJECT,
};

struct config_verify {              /* mail of strangers, on relay listeners */
    bool check;
    struct slice authserv_id;       /* empty: the hostname */
    enum config_verdict spf_fail;
    enum config_verdict dmarc_reject;
    enum config_verdict dmarc_quarantine;
    bool iprev;                     /* whether the client's name leads back is asked */
    bool require_dkim;              /* for DMARC an aligned SPF pass is not enough */
    bool received_spf;              /* is written, too (RFC 7208 9.1) */
    struct config_slices trusted_sealers; /* what they found counts (RFC 8617 7.2); canonical,
                                       "*." in front: what lies below */
    struct network *forwarders; /* nobody there is refused for DMARC's sake */
    size_t forwarders_count;
    struct slice arc_domain;        /* its keys seal what came from strangers and goes on; or
                                       empty */
};

enum config_compliance_action {
    CONFIG_COMPLIANCE_OFF,
    CONFIG_COMPLIANCE_NOTE,
    CONFIG_COMPLIANCE_HOLD,
    CONFIG_COMPLIANCE_REJECT,
};

struct config_compliance {          /* what large receivers ask of mail, at submission */
    enum config_compliance_action action;
    uint32_t bulk_recipients;       /* mail to so many is bulk */
};

/* What becomes of mail about which a filter does not answer. */
enum config_milter_failure {
    CONFIG_MILTER_ACCEPT,
    CONFIG_MILTER_TEMPFAIL,
    CONFIG_MILTER_REJECT,
    CONFIG_MILTER_QUARANTINE,
};

enum config_milter_listener {
    CONFIG_MILTER_ANY,
    CONFIG_MILTER_RELAY,
    CONFIG_MILTER_SUBMISSION,
};

struct config_milter_timeouts {
    int64_t connect_ms;
    int64_t command_ms;
    int64_t content_ms;
    int64_t end_of_message_ms;
};

enum { CONFIG_MILTERS_MAX = 20 };

struct config_milter {
    struct slice socket;            /* as it was written */
    struct slice name;              /* for the log; never empty */
    struct net_address address;
    enum config_milter_listener listener;
    bool skip_accounts;
    bool skip_relay_clients;
    enum config_milter_failure on_failure;
    struct config_milter_timeouts timeouts;
};

struct config_greylist {             /* strangers who are new come again (RFC 6647) */
    bool on;
    int64_t delay_ms;
    int64_t window_ms;              /* in which they must */
    int64_t keep_ms;                /* how long who did is remembered */
};

struct config_reports {             /* to other domains, about their mail */
    struct slice from;              /* who writes them; empty: nobody does */
    struct slice organization;      /* empty: the hostname */
    struct slice contact;           /* for people, or empty */
    bool dmarc;
    bool tls;
    struct config_slices receive;   /* addresses where those of others arrive, canonical */
};

struct config_history {             /* of messages, after they are gone */
    int64_t keep_ms;                /* 0: none is written */
    uint64_t size_bytes;
};

struct config_login {
    int64_t delay_ms;               /* after a few failures the next answer takes so long */
    int64_t delay_max_ms;           /* ... doubled each time, up to this */
    uint32_t failures;              /* a session; then it is closed */
    struct slice dovecot;           /* the socket that passwords are checked at, or empty */
    struct slice introspect;        /* the URL that tokens are asked about at, or empty */
    struct slice introspect_client; /* who we are there */
    struct slice introspect_secret; /* a file with what proves it, or empty */
    struct slice introspect_scope;  /* that a token must have, or empty */
    uint32_t introspect_file;       /* the place in config.files, from 1, or 0 */
};

struct config_account_limits {      /* of each; 0: none */
    uint64_t messages;
    uint64_t recipients;
    uint64_t bytes;
    int64_t window_ms;
};

struct config_client_limits {       /* of each that is not known; 0: none */
    uint64_t connections;
    uint64_t messages;
    uint64_t recipients;
    int64_t window_ms;
};

struct config_srs {                 /* senders of what is forwarded */
    struct slice domain;            /* one of ours, in canonical form; empty: left alone */
    struct slice secret;            /* a file: a secret a line, the first signs */
    int64_t max_age_ms;
    struct slice *secrets;
    size_t secrets_count;
};

struct config_tarpit {
    uint32_t after;                 /* refusals that are answered at once */
    int64_t step_ms;                /* how much longer each one after takes; 0: none */
    int64_t max_ms;
};

/* So many in so long; count 0: no limit. */
struct config_rate {
    uint32_t count;
    uint32_t per_ms;
};

enum config_reply_then {
    CONFIG_REPLY_SLOW,              /* half the pace, and half the connections */
    CONFIG_REPLY_SUSPEND,           /* nothing more for a time */
    CONFIG_REPLY_DEFER,             /* it is tried again, whatever the reply says */
    CONFIG_REPLY_BOUNCE,            /* it has failed, likewise */
};

/* What is done about a reply; the first that fits decides. */
struct config_reply {
    uint32_t code;                  /* 421; 4: all of 4xx; 0: any */
    struct slice status;            /* "4.7.28", or "4.7" for all that begin so; or empty */
    struct config_slices text;      /* one of them is part of it, without case; none: any */
    enum config_reply_then then;
    int64_t for_ms;                 /* of slow and suspend */
};

/* Limits of a site, or of all sites of one name together. */
struct config_site {
    struct slice name;              /* "default", or as in the file */
    struct config_slices hosts;     /* patterns of mail hosts; see config_name_matches() */
    struct config_slices domains;   /* likewise of what stands behind the '@' */
    uint32_t connections;
    uint32_t messages_per_connection;
    uint32_t recipients_per_message;
    struct config_rate rate;        /* of messages */
    int64_t retry_first_ms;         /* in place of the queue's; 0: as there */
    int64_t retry_max_ms;
    struct config_reply *replies;   /* those of the default come behind */
    size_t replies_count;
    /* in the default alone: */
    bool refuse_downgrade;          /* a host gives less TLS than it has shown before */
    bool dane;                      /* heeds what the DNS says of certificates */
    bool mta_sts;                   /* heeds what domains say of their hosts */
};

enum config_suppressed { CONFIG_SUPPRESSED_DELIVER, CONFIG_SUPPRESSED_REFUSE };

struct config_suppression {         /* whom nothing is sent to */
    enum config_suppressed then;
    int64_t keep_ms;                /* after a failure for good; 0: for ever */
};

struct config_dns {
    struct net_address *servers;    /* none: those of resolv.conf */
    size_t servers_count;
    struct slice trust_anchor;      /* a file, or empty: Debian's dns-root-data */
    bool allow_private;             /* MX hosts may have private and loopback addresses */
    int64_t timeout_ms;
};

enum config_log_form {
    CONFIG_LOG_HUMAN,
    CONFIG_LOG_JSON,
};

struct config {
    struct slice hostname;
    struct slice data;              /* the folder of everything that is kept */
    struct slice user;              /* to run as when started by root */
    bool sandbox;                   /* the engine keeps to what it needs */
    struct slice postmaster;        /* where mail to <postmaster> of no domain goes;
                                       empty only when there is nobody at all */
    uint32_t threads;               /* loop threads; 0: one a processor */
    struct config_listener *listeners;
    size_t listeners_count;
    struct config_certificate *certificates; /* none: the server makes one itself */
    size_t certificates_count;
    struct config_file *files;      /* of next hops and signatures */
    uint32_t files_count;
    struct slice client_ca;         /* a file of issuers, or empty: clients show nothing */
    struct network *relay_clients;  /* may send anywhere */
    size_t relay_clients_count;
    struct network *xclient_from;
    size_t xclient_from_count;
    struct network *proxy_from;
    size_t proxy_from_count;
    bool refuse_early_talkers;
    struct table domains;           /* of config_domain */
    struct config_route *routes;
    size_t routes_count;            /* the first that matches decides */
    struct config_rule *rules;
    size_t rules_count;
    struct config_milter *milters;  /* asked in this order */
    size_t milters_count;
    struct config_limits limits;
    struct config_timeouts timeouts;
    struct config_queue queue;
    struct config_verify verify;
    struct config_compliance compliance;
    struct config_greylist greylist;
    struct config_reports reports;
    struct config_history history;
    struct slice events_file;       /* a line for each event, or empty */
    struct config_login login;
    struct config_account_limits account_limits;
    struct config_client_limits client_limits;
    struct config_tarpit tarpit;
    struct config_srs srs;
    struct config_suppression suppression;
    bool accepts_any_login;         /* whoever it is; a sandbox */
    bool has_logins;                /* somebody has a secret, or may show a certificate */
    bool logins_have_passwords;
    bool logins_have_scram_sha256;  /* ... and everybody who has one these keys in it */
    bool logins_have_scram_sha1;
    struct config_site site;        /* the default for every site */
    struct config_site *sites;      /* those with a name; the first that fits decides */
    size_t sites_count;
    struct config_dns dns;
    enum config_log_form log_form;
    uint32_t log_level;             /* 0 debug to 3 error */
    struct slice log_file;          /* empty: standard error */
    bool log_sessions;              /* every session's transcript into the log */
};

/* What a command line overrides; empty or NULL: not said. */
struct config_flags {
    struct slice hostname;
    struct slice data;
    struct slice next_hop;          /* "host:port" or an address: everything goes there */
    struct slice *listen;
    size_t listen_count;
    struct slice log_form;
    struct slice log_level;
    bool hold;
    bool sandbox;                   /* takes what comes: any log-in, any line end */
    bool capture;                   /* without route or next hop: keep it in a Maildir */
};

struct config_error {
    uint32_t line;                  /* from 1; 0: a flag or the whole file */
    uint32_t column;
    char text[400];                 /* what is wrong, where, and what to do */
};

/* Makes a snapshot with one reference. `file` is a path, or empty for none (the
 * embedded default: loopback only); `flags` may be NULL. ERR_OK, or ERR_INVALID with *out_error set;
 * ERR_ABSENT, ERR_DENIED, ERR_IO for the file, ERR_MEMORY; *out_error says it in
 * words every time it fails. Blocks on files. */
enum err config_load(struct slice file, const struct config_flags *flags,
                     const struct config **out_config, struct config_error *out_error);

const struct config *config_hold(const struct config *config);

/* Gives back a reference; NULL inside is allowed. */
void config_drop(const struct config **config);

/* The limits for mail to a domain whose most preferred mail host has that name; both
 * canonical, `host` may be empty. Never NULL. */
const struct config_site *config_site_for(const struct config *config, struct slice domain,
                                          struct slice host);

/* Those of that name, or NULL. */
const struct config_site *config_site_named(const struct config *config, struct slice name);

/* What is to be done about a reply of the site, or NULL. `status` may be of class 0. */
const struct config_reply *config_site_reply(const struct config *config,
                                             const struct config_site *site, uint32_t code,
                                             struct smtp_status status, struct slice text);

/* pattern = domain / "*." domain: what lies below it, as in lists of names. Without case. */
bool config_name_matches(struct slice pattern, struct slice name);

/* The domain as configured, by its canonical name; NULL when it is none of ours. */
const struct config_domain *config_domain(const struct config *config,
                                          struct slice canonical);

/* The user of that name, or NULL; `local` is what the local part means, in lower case
 * (smtp_local_unquoted()). */
const struct config_user *config_domain_user(const struct config_domain *domain,
                                             struct slice local);

static inline bool config_domain_has_user(const struct config_domain *domain,
                                          struct slice local)
{
    return config_domain_user(domain, local) != NULL;
}

/* Who may send as just that name, "*" included, or NULL: as an alias. */
const struct config_alias *config_domain_senders(const struct config_domain *domain,
                                                 struct slice local);

/* The alias of just that name, "*" included, or NULL. */
const struct config_alias *config_domain_alias(const struct config_domain *domain,
                                               struct slice local);

/* Whether the filter is asked about the mail of such a client. */
bool config_milter_applies(const struct config_milter *milter, bool is_submission,
                           bool is_account, bool is_relay_client);

/* How mail for this canonical domain leaves: the domain's own way, or the first route
 * that matches. Never NULL: the last resort is MX. */
const struct config_deliver *config_route(const struct config *config,
                                          struct slice canonical);

/* The effective configuration as YAML, each value with where it comes from. */
void config_show(const struct config *config, struct buffer *out);

/* The JSON schema of the file. */
void config_schema(struct buffer *out);

#endif
