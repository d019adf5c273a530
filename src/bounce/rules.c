/* rules.c: the table. Phrases are what servers really say, in the words that stay the same
 * from one version or language of a reply to the next. Within a reason the order does not
 * matter; between reasons the more telling one stands first, so that "blocked because of
 * SPF" is authfailure and "over quota, mailbox disabled" is mailboxfull. */
#include "bounce/rules.h"

#define HOST(reason, host, phrase, status, stages) \
    { BOUNCE_##reason, phrase, status, host, 0, stages }
#define TEXT(reason, phrase) { BOUNCE_##reason, phrase, NULL, NULL, 0, 0 }
#define AT(reason, phrase, stages) { BOUNCE_##reason, phrase, NULL, NULL, 0, stages }
#define WITH(reason, phrase, status) { BOUNCE_##reason, phrase, status, NULL, 0, 0 }
#define STATUS(reason, status) { BOUNCE_##reason, NULL, status, NULL, 0, 0 }
#define CODE(reason, code) { BOUNCE_##reason, NULL, NULL, NULL, code, 0 }

enum {
    EARLY = BOUNCE_STAGE_CONNECT | BOUNCE_STAGE_HELO,
    MAIL = BOUNCE_STAGE_MAIL,
    RCPT = BOUNCE_STAGE_RCPT,
    DATA = BOUNCE_STAGE_DATA,
};

const struct bounce_rule bounce_rules[] = {
    /* ---- peculiar to one provider */
    HOST(REJECTED, ".docomo.ne.jp", "unknown user", NULL, DATA),
    HOST(REJECTED, ".yahoodns.net", "unexpected volume or user complaints", NULL, 0),
    TEXT(REJECTED,
         "groups.google.com/support"),
    TEXT(POLICYVIOLATION,
         "lpn000_630"),
    TEXT(UNDEFINED,
         "service refused, please try later. lpn"),

    /* ---- statuses that say more than the words beside them */
    STATUS(AUTHFAILURE, "5.7.20"),
    STATUS(AUTHFAILURE, "5.7.21"),
    STATUS(AUTHFAILURE, "5.7.22"),
    STATUS(AUTHFAILURE, "5.7.23"),
    STATUS(AUTHFAILURE, "5.7.24"),
    STATUS(REQUIREPTR, ".7.25"),
    STATUS(AUTHFAILURE, ".7.26"),
    STATUS(AUTHFAILURE, ".7.29"),
    STATUS(AUTHFAILURE, "5.7.509"),
    STATUS(AUTHFAILURE, "5.7.515"),
    STATUS(BADREPUTATION, "4.7.650"),
    STATUS(BADREPUTATION, "4.7.651"),
    STATUS(BADREPUTATION, "4.7.652"),
    STATUS(HASMOVED, "5.1.6"),
    STATUS(SUSPEND, "5.7.13"),
    STATUS(HASMOVED, "5.7.17"),
    WITH(MESGTOOBIG, "recipsizelimit", "5.2.3"),
    STATUS(EXCEEDLIMIT, "5.2.3"),
    WITH(CONTENTERROR, "content rejected", "5.6.1"),
    TEXT(HOSTUNKNOWN,
         "dns.nonexistentdomain"),
    TEXT(NETWORKERROR,
         "dns.mxloopback"),
    TEXT(SYSTEMERROR,
         "resolver.adr.badprimary|resolver.adr.invalidinsmtp"
         "|resolver.adr.ambiguous"),
    TEXT(TOOMANYCONN,
         "resolver.adr.reciplimit"),
    TEXT(REJECTED,
         "resolver.rst.notauthorized|resolver.rst.restrictedtorecipient"),
    TEXT(SECURITYERROR,
         "resolver.rst.authrequired|resolver.rst.sendernotauthenticated"),
    TEXT(MESGTOOBIG,
         "resolver.rst.recipsizelimit|resolver.rst.sendsizelimit"),
    TEXT(SPEEDING,
         "submission quota exceeded|sending quota"),
    STATUS(AUTHFAILURE, ".7.30"),
    STATUS(AUTHFAILURE, ".7.31"),
    STATUS(AUTHFAILURE, ".7.32"),
    STATUS(AUTHFAILURE, ".7.40"),
    STATUS(REQUIREPTR, "4.7.23"),

    /* ---- delivered */
    STATUS(DELIVERED, "2.0.0"),
    STATUS(DELIVERED, "2.6.0"),
    STATUS(DELIVERED, "2.1.5"),

    /* ---- virusdetected */
    TEXT(VIRUSDETECTED,
         "virus detected|virus found|virus infected|a virus|- virus|- infected"
         "|virus-infected|virus (code|contains virus|possible virus"
         "|the message was infected|infected by|infected with|infected - "
         "|virus phishing|malicious attachment|malware detected|malware found"
         "|contains malware|suspected virus|clamav"),

    /* ---- authfailure */
    TEXT(AUTHFAILURE,
         "spf record|spf check|spf fail|spf validation|spf policy|spf hard"
         "|spf soft|spf:|sender policy framework|rejected by spf|fails spf"
         "|failed spf|violates spf|openspf|spf-|spf=|dmarc|dkim check|dkim sign"
         "|dkim fail|dkim verif|dkim valid|dkim = did not pass|dkim=fail|no dkim"
         "|bad dkim|multiple authentication checks failed"
         "|required authentication level|sender is unauthenticated"
         "|unauthenticated email|unauthenticated mail|isn't authenticated"
         "|is not authenticated to send|fails to pass authentication"
         "|does not pass * authentication|email authentication fail"
         "|sender id (pra)|not allowed to send mail from"
         "|not authorized to send mail on behalf|is not permitted to send"
         "|not a designated mailer"),

    /* ---- requireptr */
    TEXT(REQUIREPTR,
         "reverse dns|rdns|ptr record|ptr resource record|a ptr|no ptr|ptr dns"
         "|ptr entry|missing ptr|ip name lookup failed|ip name possibly forged"
         "|cannot find your hostname|cannot resolve your address"
         "|unresolvable relay host|hostname verification failed"
         "|unverifyable sending ip|unverifiable sending ip"
         "|unable to verify * hostname|reverse lookup|reverse hostname"
         "|fix your reverse|no reverse|match reverse"),

    /* ---- norelaying */
    TEXT(NORELAYING,
         "relay access denied|relaying denied|relay denied|relaying prohibited"
         "|relaying is prohibited|relay not permitted|relaying not permitted"
         "|relay not allowed|relaying not allowed|relaying mail|relaying to"
         "|unable to relay|not relay|won't relay|can't relay|to relay mail"
         "|to relay through|insecure mail relay"
         "|mail server requires authentication when attempting to send|no relaying"
         "|not an open relay|relay is not allowed|relaying is not allowed"
         "|isn't in my list of allowed|email address is not verified|as a relay"
         "|not local host|send to a non-local|non-local recipient"
         "|domain not hosted here"),

    /* ---- mailboxfull */
    TEXT(MAILBOXFULL,
         "mailbox full|mailbox is full|mailbox * is full|mailbox has exceeded"
         "|mailbox exceeds|mailbox exceeded|number of messages in * mailbox"
         "|mailbox size limit|mailbox would exceed|mail box is full"
         "|maildir delivery failed: userdisk|maildirquota|inbox is full"
         "|inbox is out of storage|out of storage space|over quota"
         "|over the allowed quota|over its quota|over his quota|overquota"
         "|over limit|quota exceed|quotaexceed|not enough space"
         "|not enough disk space|is over the limit|message would exceed"
         "|mailbox size exceeded|full mailbox|mail quota|quota has been exceeded"
         "|quota is full|quota full|quota limit|quota violation|exceeded * quota"
         "|exceeds * quota|exceeded storage|exceeded its storage|exceed the quota"
         "|storage exceeded|storage quota|storage limit|disk quota"
         "|not enough storage space in|insufficient space to store"
         "|too much mail data|user has too many messages|too many messages on drop"
         "|account is full|folder is full|user is full|is full: retry timeout"
         "|no space left for this user|mailbox of * is full"
         "|boite du destinataire pleine|boite * pleine"),

    /* ---- systemfull */
    TEXT(SYSTEMFULL,
         "insufficient disk space|insufficient system storage|insufficient storage"
         "|insufficient system resources|mail system full|no space left on device"
         "|out of disk space|disk full"
         "|requested mail action aborted: exceeded storage"),

    /* ---- speeding and toomanyconn */
    TEXT(SPEEDING,
         "this hour|this day|per hour|per day|hourly"),
    TEXT(TOOMANYCONN,
         "connection rate limit|too many connections|frequency limited"
         "|thread limit exceeded|trop de connexions|connection limit"
         "|too many concurrent|too many simultaneous|concurrency limit"
         "|concurrent connection|concurrent smtp|maximum number of connections"
         "|max number of connections|too many sessions|connections from your"
         "|throttling failure: too many|too many smtp sessions|too many recipients"
         "|too many messages"),
    TEXT(SPEEDING,
         "receiving mail at a rate|receiving email at a rate|message rate"
         "|rate limit|rate-limit|sending rate|too fast|too quickly|too many errors"
         "|throttled|throttling|unusual sending activity|sending too many"
         "|temporarily deferred due to rate|mail from your ip is being slowed"
         "|slow down|please try again slower|daily * quota exceeded"
         "|has sent too many|too many emails|too much mail"),

    /* ---- exceedlimit and mesgtoobig */
    TEXT(EXCEEDLIMIT,
         "limit set by recipient|message size exceeds maximum value"),
    TEXT(MESGTOOBIG,
         "message size exceeds|message length exceeds|message exceeds"
         "|message exceeded|message too large|message too big|message is too large"
         "|message is too big|message file too big|message header size exceeds"
         "|mail size limit|maximum message size|maximum size|maximum allowed size"
         "|exceeds fixed * size|exceeds the maximum|exceeds size limit"
         "|exceeds the size limit|exceeded maximum * size|size limit exceeded"
         "|size exceeded|line limit exceeded|file size limit"
         "|larger than the current system limit|larger than the limit"
         "|taille du message|msgtoobig"),

    /* ---- notcompliantrfc and contenterror */
    TEXT(NOTCOMPLIANTRFC,
         "not rfc 2822 compliant|not compliant with rfc|non-rfc"
         "|rfcmessagenoncompliant|rfc 5322|rfc5322|multiple from"
         "|multiple * addresses in from|multiple addresses in from"
         "|missing * header"),
    TEXT(CONTENTERROR,
         "improper use of 8-bit|8bit data in|improper folded header|header error"
         "|duplicate header|bad header|malformed mime|mime error"
         "|we do not accept messages containing|incorrectly formatted"
         "|message filtered. please see the faqs section on spam"
         "|message mime complexity|mime-version|invalid header"
         "|charset not supported|conversion of message|not supported content"
         "|message content is not acceptable|improperly formatted|bare cr|bare lf"
         "|bare newline|too many attachments|content type not allowed"
         "|message content rejected due to suspected"),

    /* ---- badreputation */
    TEXT(BADREPUTATION,
         "low reputation|bad reputation|poor reputation|ip reputation|hl:rep"
         "|will be permanently deferred|temporarily deferred due to * complaints"
         "|reputation of the sending|reputation of your|domain reputation"
         "|sender reputation|due to reputation|reputation score|reputation filter"
         "|has been temporarily rate limited due to"
         "|unexpected volume or user complaints|senderscore"),

    /* ---- blocked: the client */
    TEXT(BLOCKED,
         "client host * blocked|client host rejected: blocked|blocked using"
         "|blocked by * rbl|blocked by spamcop|blocked by * blocklist"
         "|blocked - see|dnsbl|dns blacklist|rbl |/rbl|-rbl|spamhaus|spamcop.net"
         "|spamrl.com|sorbs.net|barracudacentral|abuseat.org|uceprotect"
         "|backscatterer|proofpoint.com|blacklisted by recipient"
         "|ip address * blacklist|ip * is blacklisted|ip * blocklist"
         "|ip * block list|ip address * block|ip * has been block|ip * is blocked"
         "|ip is in block list|on our block list|messages from * weren't sent"
         "|the ip you're using|suspected spam ip|suspected bounce attack"
         "|connection denied|connection rejected|(rtr:|(dyn:|(rly:|(con:b|hl:ibl"
         "|_is_blocked|block for spam|mail from * blocked|your domain * blocked"
         "|client was blocked|sender ip|ip is blocked|sending ip|is listed in"
         "|is listed on|is listed by|is listed at|invalid ip for sending|your ip"
         "|your network is temporary blacklisted|your mail server is|your server"
         "|your host|your email has been rejected because your"
         "|your access to submit messages to this e-mail system has been rejected"
         "|mail server * open relay|no access from mail server"
         "|use the smtp server of your isp|your isp's mail server"
         "|connections will not be accepted from|connections not accepted from ip"
         "|not accept mail from this ip|mail from * refused|dynamic ip"
         "|dynamic/zombied|dynamic or residential|helo * reject"
         "|my name was rejected|a problem occurred. (ask your postmaster|(bl)"
         "|invalid helo|bad helo|helo command rejected|access denied. ip"
         "|access from ip|closed for unknown reason. hosts|refused to talk to me"
         "|host refused to talk|hosts * refused mail service|is in a black list"
         "|is in an rbl|greylist|domain of sender address * blocked"
         "|blocked for abuse|blocked due to abuse|blocked address|server ip|no-ptr"),

    /* ---- spamdetected: the content */
    TEXT(SPAMDETECTED,
         "- spam|rejected, ube|spam message|dt:spm|mail content denied"
         "|spam is embedded|suspicious due to the nature|likely suspicious"
         "|spam mail|spam email|spam detected|spam content|spam filter|spam score"
         "|spam not accepted|spam rejected|spam refused|spam blocked|as spam"
         "|is spam|be spam|like spam|suspected spam|detected * spam"
         "|considered spam|possible spam|probable spam|unsolicited|spamassassin"
         "|anti-spam|antispam|junk mail|bulk mail|content filter|content rejected"
         "|rejected due to content|blocked by content|message was flagged"
         "|classified as|high spam|phishing|rule imposed mailbox access for"
         "|blacklisted url|blocked url|surbl|uribl"),

    /* ---- securityerror */
    TEXT(SECURITYERROR,
         "authentication required|unauthenticated senders"
         "|authentication is required|authentication failed|authentication failure"
         "|authentication turned on|not authenticated|authrequired"
         "|must authenticate|please authenticate|starttls|start tls|tls handshake"
         "|tls encryption|- banned|tls-required|requires authentication"
         "|sasl authentication|tls is required|tls required|encryption required"
         "|insecure connection|certificate|unauthorized|not authorized"
         "|attachment * not allowed|illegal attachment|blocked attachment"
         "|executable|security problem|dangerous"),

    /* ---- hasmoved */
    TEXT(HASMOVED,
         "has moved|has been replaced by|address has changed"
         "|user not local; please try|user not local; please forward"
         "|no longer at this address|new address"),

    /* ---- suspend */
    TEXT(SUSPEND,
         "account * disabled|account disabled|accountdisabled"
         "|account is temporarily limited|is a deactivated mailbox"
         "|account * discontinued|account * blocked|account has been"
         "|mailbox * disabled|mailbox * suspended|address is no longer active"
         "|email is inactive|user * disabled|user * suspended|user account is"
         "|account * suspended|account suspended|account * inactive"
         "|inactive account|account inactive|account not activated"
         "|account is locked|account locked|account is blocked|account is frozen"
         "|account * deactivated|account * expired|account closed"
         "|account is temporarily unavailable|temporarily disabled"
         "|mailbox disabled|mailbox is disabled|mailbox is inactive"
         "|mailbox inactive|mailbox is frozen|mailbox is locked"
         "|mailbox currently suspended|mailbox unavailable or access denied"
         "|disabled recipient|recipient suspend|recipient disabled"
         "|recipient is disabled|user disabled|user is disabled|user is inactive"
         "|user suspended|user is suspended|inactive user|inactive recipient"
         "|domain * inactive|domain is not paid for|mail * is suspended"
         "|boite desactivee|compte du destinataire est bloque"),

    /* ---- rejected: the sender, in words that speak of an address too */
    TEXT(REJECTED,
         "sender address|domain of sender|sender was rejected|blocked senders"
         "|envelope blocked|returned mail not accepted|rejecting banned"
         "|your email address|from domain|invalid from|unresolvable sender"
         "|mail from command failed|no permission to send|not authorized to post"
         "|sender rejected|sender denied|sender not|sender is not|sender verify"
         "|sender verification|sender domain|sender's domain|sender unknown"
         "|sender refused|sender blocked|sender email address|sender invalid"
         "|invalid sender|bad sender|unknown sender|envelope sender|mail from not"
         "|mail from: domain|backscatter protection|purported responsible address"
         "|to/from an address that has been blacklisted|registered gateway user"
         "|not a member|only members|closed list|permission to post"
         "|not allowed to post|you are not allowed to send"
         "|not allowed to send to this|null sender|empty envelope|<> invalid"
         "|from address"),
    AT(REJECTED, "does not exist", MAIL),
    AT(REJECTED, "unknown", MAIL),

    /* ---- notaccept and hostunknown */
    TEXT(NOTACCEPT,
         "null mx|nullmx|does not accept mail|does not accept email"
         "|do not accept mail|not accepting mail|doesn't receive email"
         "|doesn't accept mail|doesn't accept email|host does not receive mail"
         "|no mx record|smtp protocol returned a permanent error"
         "|malformed or unexpected name server reply"
         "|name server: .: host not found|no smtp service"
         "|couldn't find a mail exchanger|not accepting network messages"),
    TEXT(NETWORKERROR,
         "dns error: * nxdomain|dns error: * lookup"),
    TEXT(HOSTUNKNOWN,
         "host unknown|unknown host|host not found|domain not found"
         "|domain name not found|domain does not exist|domain doesn't exist"
         "|domain must exist|domain is not reachable|no such domain"
         "|unrouteable address|unrouteable mail domain|unroutable address"
         "|couldn't find any host|could not find any host"
         "|all relevant mx records point to non-existent|nxdomain"
         "|non-existent domain|non-existent host|name or service not known"
         "|recipient domain must|invalid domain name|illegal host/domain"
         "|bad destination system|had no relevant answers"
         "|no dns information was found|name service error"
         "|all host address lookups failed|remote domain doesnt exist"
         "|host does not exist|host not exist|unresolvable|no such host"
         "|dns server returned answer with no data|missing the proper dns entries"
         "|domain isn't"),

    /* ---- policyviolation */
    TEXT(POLICYVIOLATION,
         "protocol violation|security policies|anti-spoofing"
         "|administrative prohibition|due to compliance|mailpolicy"
         "|content examination policy|host network not allowed"
         "|its content presents a potential|potential security issue"
         "|policy reasons|for policy reason|policy violation|policy rejection"
         "|policy restrict|policy decision|email policy|security policy"
         "|local policy|site policy|due to policy|violates * policy|by policy"
         "|message not allowed|you have exceeded the maximum|file extension"
         "|prohibited|closed mailing list"),

    /* ---- filtered: the recipient's own choice */
    TEXT(FILTERED,
         "recipient's choice|cannot route mail to user|recipient blocked"
         "|recipient's settings|does not accept messages from"
         "|does not want to receive|recipient preferences"
         "|because the recipient is only accepting mail"
         "|only accepting mail from specific|due to user filter"
         "|rejected by recipient|refused by recipient|user reject"
         "|recipient rejected|rejected due to user|permissions problem"
         "|message filtered|user refuses|has blocked|is blocked by user"
         "|we failed to deliver mail because the following address recipient id refuse"
         "|following recipient id was refused"),

    /* ---- userunknown, and filtered where the content came first */
    WITH(USERUNKNOWN, "unknown", ".1.1"),
    WITH(USERUNKNOWN, "no such", ".1.1"),
    WITH(USERUNKNOWN, "not found", ".1.1"),
    { BOUNCE_USERUNKNOWN, "user unknown", ".2.1", NULL, 0, RCPT },
    WITH(FILTERED, "user unknown", ".2.1"),
    WITH(FILTERED, "unknown user", ".2.1"),
    AT(FILTERED, "user unknown", DATA),
    AT(FILTERED, "unknown user", DATA),
    AT(FILTERED, "user not found", DATA),
    AT(FILTERED, "no such user", DATA),
    TEXT(USERUNKNOWN,
         "user unknown|annuaire domino|undeliverable to|destinataire * inconnu"
         "|adresse inconnue|unbekannter empf|usuario desconocido|no existe"
         "|unknown user|unknown or illegal user|unknown recipient|unknown mailbox"
         "|unknown address|unknown local|unknown account|unknown email"
         "|recipient unknown|address unknown|mailbox unknown|account unknown"
         "|is unknown|is not known|not a known user|not known at this"
         "|unable to find recipient|user not found|user * not found"
         "|recipient not found|recipnotfound|recipientnotfound|address not found"
         "|mailbox not found|account not found|not found in|couldn't be found"
         "|could not be found|wasn't found|can't be found|no such user"
         "|no such recipient|no such mailbox|no such address|no such account"
         "|no such person|no such local|no such email|no mailbox|no mail box"
         "|no account|no user|no valid recipient|no recipient|not our customer"
         "|not a valid|not listed in|not exist|doesn't exist|doesn't have a"
         "|nonexistent|non-existent|invalid recipient|invalid mailbox"
         "|invalid address|invalid user|invalid email"
         "|invalid final delivery userid|destinataire invalide"
         "|destinataire inconnu|utilisateur inconnu|bad address|bad recipient"
         "|undeliverable address|not local|not deliver mail to this user|no longer"
         "|recipient address rejected: access denied|recipient rejected: account"
         "|recipient address reserved|unrecognized recipient|not recognized"
         "|nosuchuser|user doesn|unable to validate recipient"
         "|failed to resolve recipient|user id not found"),
    WITH(USERUNKNOWN, "mailbox unavailable", "5.1."),
    WITH(USERUNKNOWN, "mailbox unavailable", "5.5."),
    AT(USERUNKNOWN, "mailbox unavailable", RCPT),
    TEXT(FILTERED,
         "mailbox unavailable"),

    /* ---- blocked, in words that say little else */
    AT(BLOCKED, "reject", EARLY),
    AT(BLOCKED, "denied", EARLY),
    AT(BLOCKED, "refused", EARLY),
    AT(BLOCKED, "blocked", EARLY),
    TEXT(BLOCKED,
         "blacklist|black list|blocklist|block list"),
    AT(REJECTED, "access denied", MAIL),

    /* ---- mailererror, systemerror, syntaxerror */
    TEXT(MAILERERROR,
         "command failed|command died|command output|command time limit|pipe to "
         "|local delivery agent|procmail|exit 75|exit status|mailer error"),
    WITH(MAILERERROR, "temporary failure", "4.3.0"),
    TEXT(MAILERERROR,
         "x-unix|can't create output"),
    TEXT(SYSTEMERROR,
         "duplicated message-id|internal server error|internal error"
         "|several matches found|local delivery failed|delivery to pipe forbidden"
         "|delivery to file forbidden|listed as a best-preference mx"
         "|temporary error on maildir|can't create|mail system configuration"
         "|service unavailable due to|system config error|system error"
         "|server configuration|configuration error|service currently unavailable"
         "|mail for * loops back to myself|loops back to me|can't open|cannot open"
         "|temporary local problem|can't connect to|timeout waiting for input"
         "|upstream error"),
    TEXT(SYNTAXERROR,
         "malformed address|syntax error|command not recognized"
         "|command unrecognized|unrecognized command|bad sequence of commands"
         "|need mail command|need rcpt"),

    /* ---- networkerror and expired */
    TEXT(NETWORKERROR,
         "hop count|too many hops|routing loop|mail loop|mail forwarding loop"
         "|loop detected|message loop|lost connection|connection reset"
         "|connection died|connection dropped|no route found|server unreachable"
         "|network error|could not resolve host"
         "|conversation with * timed out while|connection lost"
         "|dns records for the destination|no route to host|network is unreachable"
         "|host is unreachable|host name lookup failure|dns error|dns query failed"
         "|dns lookup|dns problem|address family mismatch|peer disconnected"
         "|unable to connect to the destination|malformed name server reply"),
    TEXT(EXPIRED,
         "expired|timeout exceeded|timed out|been in the queue too long"
         "|been on the queue|hours on the queue"
         "|could not be delivered for too long|could not deliver for the last"
         "|could not deliver after|could not send mail for past"
         "|hosts have been failing for a long time|not yet been delivered"
         "|has been delayed|will be retried|giving up after|connection refused"
         "|did not accept our requests to connect"
         "|unable to deliver message after multiple retries"
         "|wasn't able to establish an smtp connection"
         "|could not establish connection|unable to establish|delivery attempts"
         "|retry time|has been frozen|giving up on"
         "|unable to deliver this message after|delivery timeout"
         "|could not be delivered within|failed to deliver within"
         "|undelivered after|delivery delayed|delay reason|deferred:"
         "|resources temporarily unavailable|undeliverable for|not responding"
         "|temporarily unable to deliver"),

    /* ---- by status alone (RFC 3463, RFC 5248) */
    { BOUNCE_REJECTED, NULL, "5.", NULL, 0, MAIL },
    { BOUNCE_BLOCKED, NULL, "5.", NULL, 0, EARLY },
    STATUS(USERUNKNOWN, ".1.0"),
    STATUS(USERUNKNOWN, ".1.1"),
    STATUS(HOSTUNKNOWN, ".1.2"),
    STATUS(USERUNKNOWN, ".1.3"),
    STATUS(FILTERED, ".1.4"),
    STATUS(REJECTED, ".1.7"),
    STATUS(REJECTED, ".1.8"),
    STATUS(SYSTEMERROR, ".1.9"),
    STATUS(NOTACCEPT, ".1.10"),
    STATUS(USERUNKNOWN, ".1.351"),
    STATUS(FILTERED, ".2.0"),
    STATUS(SUSPEND, ".2.1"),
    STATUS(MAILBOXFULL, ".2.2"),
    STATUS(EXCEEDLIMIT, ".2.3"),
    STATUS(FILTERED, ".2.4"),
    STATUS(SYSTEMERROR, ".3.0"),
    STATUS(SYSTEMFULL, ".3.1"),
    STATUS(NOTACCEPT, ".3.2"),
    STATUS(SYSTEMERROR, ".3.3"),
    STATUS(MESGTOOBIG, ".3.4"),
    STATUS(SYSTEMERROR, ".3.5"),
    STATUS(EXPIRED, ".4.1"),
    STATUS(NETWORKERROR, ".4.2"),
    STATUS(SYSTEMERROR, ".4.3"),
    STATUS(HOSTUNKNOWN, ".4.4"),
    STATUS(SYSTEMFULL, ".4.5"),
    STATUS(NETWORKERROR, ".4.6"),
    STATUS(EXPIRED, ".4.7"),
    STATUS(HOSTUNKNOWN, "5.4.310"),
    STATUS(NETWORKERROR, ".4."),
    STATUS(SYNTAXERROR, ".5."),
    STATUS(CONTENTERROR, ".6."),
    STATUS(POLICYVIOLATION, ".7.9"),
    STATUS(POLICYVIOLATION, ".7.8"),
    STATUS(NORELAYING, "5.7.64"),
    STATUS(SPAMDETECTED, ".7.28"),
    WITH(SPAMDETECTED, "spam", ".7."),
    STATUS(SECURITYERROR, ".7."),

    /* ---- words that say little */
    TEXT(SPAMDETECTED,
         "spam"),
    TEXT(USERUNKNOWN,
         "recipient address rejected."),
    TEXT(BLOCKED,
         "client host rejected"),
    TEXT(USERUNKNOWN,
         "recipient is not|recipient not"),

    /* ---- by code alone (RFC 5321 4.2.2, RFC 7504) */
    CODE(NOTACCEPT, 521),
    CODE(SUSPEND, 525),
    CODE(HASMOVED, 551),
    CODE(MAILBOXFULL, 552),
    CODE(NOTACCEPT, 556),
    CODE(SYSTEMFULL, 452),
};

const size_t bounce_rules_count = sizeof bounce_rules / sizeof *bounce_rules;
