/* header_private.h: what header_scan.c shares with header.c. */
#ifndef GODWIT_WIRE_MESSAGE_HEADER_PRIVATE_H
#define GODWIT_WIRE_MESSAGE_HEADER_PRIVATE_H

#include "wire/message/header.h"

/* ftext of RFC 5322 3.6.8. */
bool header_is_name_character(char c);

#endif
