/* reason.c: the reasons as a table. */
#include "bounce/reason.h"

static const struct {
    const char *name;
    bool is_hard;
    uint16_t detail;
} reasons[BOUNCE_REASONS] = {
    [BOUNCE_UNDEFINED] = { "undefined", false, 900 },
    [BOUNCE_AUTHFAILURE] = { "authfailure", false, 976 },
    [BOUNCE_BADREPUTATION] = { "badreputation", false, 975 },
    [BOUNCE_BLOCKED] = { "blocked", false, 971 },
    [BOUNCE_CONTENTERROR] = { "contenterror", false, 960 },
    [BOUNCE_DELIVERED] = { "delivered", false, 0 },
    [BOUNCE_EXCEEDLIMIT] = { "exceedlimit", false, 923 },
    [BOUNCE_EXPIRED] = { "expired", false, 947 },
    [BOUNCE_FEEDBACK] = { "feedback", false, 0 },
    [BOUNCE_FILTERED] = { "filtered", false, 910 },
    [BOUNCE_HASMOVED] = { "hasmoved", true, 916 },
    [BOUNCE_HOSTUNKNOWN] = { "hostunknown", true, 912 },
    [BOUNCE_MAILBOXFULL] = { "mailboxfull", false, 922 },
    [BOUNCE_MAILERERROR] = { "mailererror", false, 939 },
    [BOUNCE_MESGTOOBIG] = { "mesgtoobig", false, 934 },
    [BOUNCE_NETWORKERROR] = { "networkerror", false, 944 },
    [BOUNCE_NORELAYING] = { "norelaying", false, 909 },
    [BOUNCE_NOTACCEPT] = { "notaccept", true, 932 },
    [BOUNCE_NOTCOMPLIANTRFC] = { "notcompliantrfc", false, 961 },
    [BOUNCE_ONHOLD] = { "onhold", false, 901 },
    [BOUNCE_POLICYVIOLATION] = { "policyviolation", false, 972 },
    [BOUNCE_REJECTED] = { "rejected", false, 918 },
    [BOUNCE_REQUIREPTR] = { "requireptr", false, 973 },
    [BOUNCE_SECURITYERROR] = { "securityerror", false, 970 },
    [BOUNCE_SPAMDETECTED] = { "spamdetected", false, 980 },
    [BOUNCE_SPEEDING] = { "speeding", false, 946 },
    [BOUNCE_SUSPEND] = { "suspend", false, 921 },
    [BOUNCE_SYNTAXERROR] = { "syntaxerror", false, 902 },
    [BOUNCE_SYSTEMERROR] = { "systemerror", false, 930 },
    [BOUNCE_SYSTEMFULL] = { "systemfull", false, 931 },
    [BOUNCE_TOOMANYCONN] = { "toomanyconn", false, 945 },
    [BOUNCE_USERUNKNOWN] = { "userunknown", true, 911 },
    [BOUNCE_VACATION] = { "vacation", false, 0 },
    [BOUNCE_VIRUSDETECTED] = { "virusdetected", false, 981 },
};

const char *bounce_reason_name(enum bounce_reason reason)
{
    return reasons[reason].name;
}

bool bounce_reason_is_hard(enum bounce_reason reason)
{
    return reasons[reason].is_hard;
}

uint16_t bounce_reason_detail(enum bounce_reason reason)
{
    return reasons[reason].detail;
}
