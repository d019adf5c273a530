/* mcp.h: between the Model Context Protocol (mcp.c) and the tools behind it (mcp_tools.c). */
#ifndef GODWIT_API_MCP_H
#define GODWIT_API_MCP_H

#include "api/api_private.h"

/* The tools as the protocol lists them; new. */
json_t *mcp_tools(void);

/* Runs one; as api_handle(). `arguments` is borrowed, and may be NULL. Answers with one of the
 * two below. *out_known is false where there is no such tool, and nothing is answered. */
bool mcp_call(struct api *api, struct api_request *r, const char *name, json_t *arguments,
              bool *out_known);

/* What a tool has to say; `value`, an object, is taken. */
bool mcp_result(struct api_request *r, json_t *value);
/* Why it has nothing to say: for whoever called it, who can mend it. */
bool mcp_failure(struct api_request *r, const char *why);

#endif
