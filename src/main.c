/* main.c: the table of commands. Called by one of their names (sendmail, mailq,
 * newaliases), godwit is that command. */
#include "box.h"
#include "cli/tools.h"
#include "serve.h"

int main(int argc, char **argv)
{
    static const struct cli_tool *const tools[] = {
        &serve_tool, &sandbox_tool, &cli_wait, &cli_inbox, &cli_assert, &cli_config, &cli_user,
        &cli_rules, &cli_queue, &cli_status, &cli_why, &cli_events, &cli_trace, &cli_cert,
        &cli_report, &cli_reload, &cli_site, &cli_suppression, &cli_check, &cli_classify,
        &cli_parse, &cli_sign, &cli_dkim, &cli_send, &cli_sendmail, &cli_mailq, &cli_newaliases,
        &cli_tls_policy, &cli_version, &cli_help, NULL,
    };
    return cli_main(tools, argc, argv);
}
