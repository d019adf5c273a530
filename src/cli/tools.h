/* tools.h: the commands that this folder has, for the table in main.c. */
#ifndef GODWIT_CLI_TOOLS_H
#define GODWIT_CLI_TOOLS_H

#include "cli/tool.h"

extern const struct cli_tool cli_assert;
extern const struct cli_tool cli_cert;
extern const struct cli_tool cli_check;
extern const struct cli_tool cli_classify;
extern const struct cli_tool cli_config;
extern const struct cli_tool cli_dkim;
extern const struct cli_tool cli_parse;
extern const struct cli_tool cli_user;
extern const struct cli_tool cli_rules;
extern const struct cli_tool cli_parse;
extern const struct cli_tool cli_queue;
extern const struct cli_tool cli_report;
extern const struct cli_tool cli_status;
extern const struct cli_tool cli_reload;
extern const struct cli_tool cli_send;
extern const struct cli_tool cli_sendmail;
extern const struct cli_tool cli_sign;
extern const struct cli_tool cli_site;
extern const struct cli_tool cli_suppression;
extern const struct cli_tool cli_mailq;
extern const struct cli_tool cli_newaliases;
extern const struct cli_tool cli_tls_policy;
extern const struct cli_tool cli_inbox;
extern const struct cli_tool cli_wait;
extern const struct cli_tool cli_version;
extern const struct cli_tool cli_trace;
extern const struct cli_tool cli_why;
extern const struct cli_tool cli_events;
extern const struct cli_tool cli_help;

#endif
