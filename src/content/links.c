/* links.c: where a reader can go from a message.
 *
 * In HTML what can be clicked on, and URLs in its text; in text/plain URLs alone (RFC 3986
 * Appendix C). A browser takes blanks at both ends and line ends anywhere out of an address. */
#include "content/links.h"

#include "content/html_private.h"

#include "base/buffer.h"

#include <glib.h>
#include <string.h>

enum { TEXT_MAX = 300, BEFORE_MAX = 160 };

struct work {
    struct arena *arena;
    struct links found;
    struct slice base;        /* of <base href>, or empty */
    bool is_full;
};

/* ---- what kind it is ---- */

struct sign {
    const char *part;         /* of the text or the URL, in small letters */
    enum link_kind kind;
    double weight;
};

static const struct sign signs[] = {
    { "unsubscribe", LINK_UNSUBSCRIBE, 1 }, { "opt-out", LINK_UNSUBSCRIBE, .9 },
    { "optout", LINK_UNSUBSCRIBE, .9 }, { "email preferences", LINK_UNSUBSCRIBE, .8 },
    { "manage preferences", LINK_UNSUBSCRIBE, .8 }, { "abbestell", LINK_UNSUBSCRIBE, 1 },
    { "newsletter abmelden", LINK_UNSUBSCRIBE, 1 }, { "abmelden", LINK_UNSUBSCRIBE, .8 },
    { "désabonn", LINK_UNSUBSCRIBE, 1 }, { "désinscri", LINK_UNSUBSCRIBE, 1 },
    { "darse de baja", LINK_UNSUBSCRIBE, 1 }, { "cancelar suscripci", LINK_UNSUBSCRIBE, 1 },
    { "cancelar inscri", LINK_UNSUBSCRIBE, 1 }, { "disiscriv", LINK_UNSUBSCRIBE, 1 },
    { "annulla iscrizione", LINK_UNSUBSCRIBE, 1 }, { "uitschrijven", LINK_UNSUBSCRIBE, 1 },
    { "afmelden", LINK_UNSUBSCRIBE, 1 }, { "wypisz", LINK_UNSUBSCRIBE, 1 },
    { "отписа", LINK_UNSUBSCRIBE, 1 }, { "відписа", LINK_UNSUBSCRIBE, 1 },
    { "abonelikten", LINK_UNSUBSCRIBE, 1 }, { "配信停止", LINK_UNSUBSCRIBE, 1 },
    { "退订", LINK_UNSUBSCRIBE, 1 }, { "取消訂閱", LINK_UNSUBSCRIBE, 1 },
    { "수신거부", LINK_UNSUBSCRIBE, 1 }, { "구독 취소", LINK_UNSUBSCRIBE, 1 },
    { "إلغاء الاشتراك", LINK_UNSUBSCRIBE, 1 }, { "avregistrera", LINK_UNSUBSCRIBE, 1 },
    { "view in browser", LINK_VIEW, 1 }, { "view this email", LINK_VIEW, 1 },
    { "view online", LINK_VIEW, 1 }, { "im browser", LINK_VIEW, 1 },
    { "version en ligne", LINK_VIEW, 1 }, { "en el navegador", LINK_VIEW, 1 },
    { "privacy", LINK_LEGAL, .9 }, { "terms", LINK_LEGAL, .8 }, { "imprint", LINK_LEGAL, 1 },
    { "impressum", LINK_LEGAL, 1 }, { "datenschutz", LINK_LEGAL, 1 }, { "/legal", LINK_LEGAL, .8 },
    { "confidentialité", LINK_LEGAL, 1 }, { "mentions légales", LINK_LEGAL, 1 },
    { "privacidad", LINK_LEGAL, 1 }, { "プライバシー", LINK_LEGAL, 1 }, { "隐私", LINK_LEGAL, 1 },
    { "конфиденциальн", LINK_LEGAL, 1 }, { "개인정보", LINK_LEGAL, 1 },
    { "facebook.com", LINK_SOCIAL, 1 }, { "twitter.com", LINK_SOCIAL, 1 },
    { "//x.com", LINK_SOCIAL, 1 }, { "instagram.com", LINK_SOCIAL, 1 },
    { "linkedin.com", LINK_SOCIAL, 1 }, { "youtube.com", LINK_SOCIAL, 1 },
    { "tiktok.com", LINK_SOCIAL, 1 }, { "apps.apple.com", LINK_SOCIAL, .6 },
    { "play.google.com", LINK_SOCIAL, .6 },
    { "reset", LINK_RESET, .9 }, { "zurücksetzen", LINK_RESET, 1 }, { "réinitialis", LINK_RESET, 1 },
    { "restablecer", LINK_RESET, 1 }, { "redefinir", LINK_RESET, 1 }, { "reimposta", LINK_RESET, 1 },
    { "opnieuw instellen", LINK_RESET, 1 }, { "zresetuj", LINK_RESET, 1 },
    { "new password", LINK_RESET, .9 }, { "neues passwort", LINK_RESET, .9 },
    { "сброс", LINK_RESET, 1 }, { "сменить пароль", LINK_RESET, 1 }, { "sıfırla", LINK_RESET, 1 },
    { "再設定", LINK_RESET, 1 }, { "リセット", LINK_RESET, 1 }, { "重置", LINK_RESET, 1 },
    { "重設", LINK_RESET, 1 }, { "재설정", LINK_RESET, 1 }, { "recover", LINK_RESET, .7 },
    { "återställ", LINK_RESET, 1 }, { "إعادة تعيين", LINK_RESET, 1 },
    { "verif", LINK_VERIFICATION, 1 }, { "confirm", LINK_VERIFICATION, .95 },
    { "activat", LINK_VERIFICATION, .95 }, { "validat", LINK_VERIFICATION, .9 },
    { "magic", LINK_VERIFICATION, .9 }, { "invitation", LINK_VERIFICATION, .8 },
    { "invite", LINK_VERIFICATION, .8 }, { "accept", LINK_VERIFICATION, .8 },
    { "sign in", LINK_VERIFICATION, .7 }, { "log in", LINK_VERIFICATION, .7 },
    { "login", LINK_VERIFICATION, .6 }, { "signin", LINK_VERIFICATION, .6 },
    { "get started", LINK_VERIFICATION, .5 }, { "bestätig", LINK_VERIFICATION, 1 },
    { "aktivier", LINK_VERIFICATION, 1 }, { "anmelden", LINK_VERIFICATION, .6 },
    { "einladung", LINK_VERIFICATION, .8 }, { "vérifi", LINK_VERIFICATION, 1 },
    { "activer", LINK_VERIFICATION, 1 }, { "se connecter", LINK_VERIFICATION, .6 },
    { "activar", LINK_VERIFICATION, 1 }, { "attiva", LINK_VERIFICATION, 1 },
    { "conferma", LINK_VERIFICATION, 1 }, { "ativar", LINK_VERIFICATION, 1 },
    { "bevestig", LINK_VERIFICATION, 1 }, { "activeer", LINK_VERIFICATION, 1 },
    { "potwierd", LINK_VERIFICATION, 1 }, { "aktywuj", LINK_VERIFICATION, 1 },
    { "подтверд", LINK_VERIFICATION, 1 }, { "активир", LINK_VERIFICATION, 1 },
    { "підтверд", LINK_VERIFICATION, 1 }, { "doğrula", LINK_VERIFICATION, 1 },
    { "onayla", LINK_VERIFICATION, 1 }, { "etkinleştir", LINK_VERIFICATION, 1 },
    { "認証", LINK_VERIFICATION, 1 }, { "確認", LINK_VERIFICATION, .9 },
    { "验证", LINK_VERIFICATION, 1 }, { "確認", LINK_VERIFICATION, .9 },
    { "确认", LINK_VERIFICATION, .9 }, { "激活", LINK_VERIFICATION, 1 },
    { "驗證", LINK_VERIFICATION, 1 }, { "인증", LINK_VERIFICATION, 1 },
    { "확인", LINK_VERIFICATION, .8 }, { "تأكيد", LINK_VERIFICATION, 1 },
    { "تفعيل", LINK_VERIFICATION, 1 }, { "אימות", LINK_VERIFICATION, 1 },
    { "सत्यापि", LINK_VERIFICATION, 1 }, { "bekräfta", LINK_VERIFICATION, 1 },
    { "bekræft", LINK_VERIFICATION, 1 }, { "vahvista", LINK_VERIFICATION, 1 },
    { "ověř", LINK_VERIFICATION, 1 }, { "potvrd", LINK_VERIFICATION, 1 },
    { "xác", LINK_VERIFICATION, .9 }, { "verifikasi", LINK_VERIFICATION, 1 },
    { "ยืนยัน", LINK_VERIFICATION, 1 }, { "megerősít", LINK_VERIFICATION, 1 },
    { "support", LINK_SUPPORT, .5 }, { "help", LINK_SUPPORT, .5 }, { "contact", LINK_SUPPORT, .5 },
    { "kontakt", LINK_SUPPORT, .5 }, { "/faq", LINK_SUPPORT, .5 },
};

/* Of any script, as the signs are written; to be freed. Never NULL. */
static char *lowered(struct slice text)
{
    return g_utf8_strdown(text.data == NULL ? "" : text.data, (gssize)text.len);
}

/* What is clicked on says more than the address does. */
static void classify(struct link *link, struct slice before)
{
    char *text = lowered(link->text), *url = lowered(link->url), *around = lowered(before);
    link->kind = LINK_OTHER;
    link->confidence = 0.2;
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
        double weight = strstr(text, signs[i].part) != NULL    ? signs[i].weight
                        : strstr(url, signs[i].part) != NULL   ? signs[i].weight * 0.85
                        : strstr(around, signs[i].part) != NULL ? signs[i].weight * 0.6 : 0;
        if (weight > link->confidence) {
            link->kind = signs[i].kind;
            link->confidence = weight;
        }
    }
    g_free(text);
    g_free(url);
    g_free(around);
}

/* ---- kept ---- */

static struct slice one_line(struct work *w, struct slice text)
{
    struct slice from = slice_part(text, 0, 4 * TEXT_MAX), kept = { .len = 0 };
    char *memory = arena_alloc(w->arena, from.len + 1);
    size_t len = 0;
    if (memory == NULL) {
        w->is_full = true;
        return kept;
    }
    for (size_t i = 0; i < from.len; i++) {
        bool blank = (unsigned char)from.data[i] <= ' ';
        if (blank && (len == 0 || memory[len - 1] == ' '))
            continue;
        memory[len++] = blank ? ' ' : from.data[i];
    }
    while (len > TEXT_MAX && len > 0)
        len--;
    while (len > 0 && ((unsigned char)memory[len - 1] & 0xC0) == 0x80 && len == TEXT_MAX)
        len--;
    return slice_trim(slice_make(memory, len));
}

static struct link *find(struct work *w, struct slice url)
{
    for (size_t i = 0; i < w->found.count; i++)
        if (slice_equal(w->found.items[i].url, url))
            return &w->found.items[i];
    return NULL;
}

static void add(struct work *w, struct slice url, struct slice text, struct slice before,
                bool in_html)
{
    struct link *link = find(w, url);
    if (link == NULL && w->found.count < LINKS_MAX) {
        link = &w->found.items[w->found.count++];
        *link = (struct link){ .url = url, .text = text };
        classify(link, before);
    }
    if (link == NULL)
        return;
    link->in_html = link->in_html || in_html;
    link->in_text = link->in_text || !in_html;
    if (link->text.len == 0 && text.len > 0) {
        link->text = text;
        classify(link, before);
    }
}

static bool is_web(struct slice url)
{
    size_t scheme = slice_starts_with_nocase(url, SLICE("https://")) ? 8
                    : slice_starts_with_nocase(url, SLICE("http://")) ? 7 : 0;
    return scheme > 0 && url.len > scheme && url.data[scheme] != '/';
}

/* As a browser reads an attribute: blanks at the ends and line ends are nothing, a blank in
 * it is %20. */
static bool clean(struct work *w, struct slice from, struct slice *out)
{
    struct buffer b;
    buffer_init(&b, LINK_URL_MAX);
    while (from.len > 0 && (unsigned char)from.data[0] <= ' ')
        from = slice_from(from, 1);
    while (from.len > 0 && (unsigned char)from.data[from.len - 1] <= ' ')
        from.len--;
    if (from.len > 1 && from.data[0] == '/' && from.data[1] == '/')
        buffer_append(&b, SLICE("https:"));
    for (size_t i = 0; i < from.len; i++) {
        char c = from.data[i];
        if (c == ' ')
            buffer_append(&b, SLICE("%20"));
        else if (c != '\n' && c != '\r' && c != '\t')
            buffer_append_byte(&b, c);
    }
    bool good = !b.overflow && is_web(buffer_slice(&b));
    if (good && !arena_copy(w->arena, buffer_slice(&b), out))
        good = !(w->is_full = true);
    buffer_free(&b);
    return good;
}

/* ---- URLs in text ---- */

/* Ends one: blanks, controls, quotes, angle brackets, and punctuation of scripts that are
 * written without blanks. */
static size_t url_end(struct slice s)
{
    static const char *const stops[] = { "。", "、", "，", "；", "！", "？", "（", "）", "「", "」",
        "『", "』", "【", "】", "《", "》", "〈", "〉", "“", "”", "„", "«", "»", "…", "\u00A0",
        "\u3000", "\u200B" };
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];
        if (c <= ' ' || c == 127 || c == '"' || c == '<' || c == '>' || c == '`' || c == '|' ||
            c == '\\' || c == '^' || c == '{' || c == '}')
            return i;
        for (size_t j = 0; c > 127 && j < sizeof stops / sizeof *stops; j++)
            if (slice_starts_with_nocase(slice_from(s, i), slice_from_string(stops[j])))
                return i;
    }
    return s.len;
}

static size_t count(struct slice s, char c)
{
    size_t sum = 0;
    for (size_t i = 0; i < s.len; i++)
        sum += s.data[i] == c;
    return sum;
}

/* Marks behind a URL are the sentence's; so is a bracket that was opened before it. */
static struct slice without_marks(struct slice url)
{
    while (url.len > 0) {
        char c = url.data[url.len - 1];
        bool closes = (c == ')' && count(url, ')') > count(url, '(')) ||
                      (c == ']' && count(url, ']') > count(url, '['));
        if (!closes && strchr(".,;:!?'*~", c) == NULL)
            break;
        url.len--;
    }
    return url;
}

static size_t find_scheme(struct slice s, size_t from)
{
    for (size_t i = from; i + 8 < s.len; i++) {
        if (s.data[i] != 'h' && s.data[i] != 'H')
            continue;
        struct slice rest = slice_from(s, i);
        bool in_word = i > 0 && ((s.data[i - 1] >= 'a' && s.data[i - 1] <= 'z') ||
                                 (s.data[i - 1] >= 'A' && s.data[i - 1] <= 'Z'));
        if (!in_word && (slice_starts_with_nocase(rest, SLICE("http://")) ||
                         slice_starts_with_nocase(rest, SLICE("https://"))))
            return i;
    }
    return SLICE_NOT_FOUND;
}

/* What stands before it, back over one line end. */
static struct slice text_before(struct slice s, size_t at)
{
    size_t from = at, lines = 0;
    while (from > 0 && at - from < BEFORE_MAX && lines < 3)
        lines += s.data[--from] == '\n';
    while (from < at && ((unsigned char)s.data[from] & 0xC0) == 0x80)
        from++;
    return slice_part(s, from, at - from);
}

/* "<https://...>", where line ends and the blanks around them are none (RFC 3986 Appendix C).
 * Without them, in the arena; empty: it is no such thing. */
static struct slice in_angles(struct work *w, struct slice s, size_t at)
{
    struct slice none = { .len = 0 };
    struct slice rest = slice_part(s, at, LINK_URL_MAX);
    size_t close = at > 0 && s.data[at - 1] == '<' ? slice_find(rest, '>') : SLICE_NOT_FOUND;
    char *url = close == SLICE_NOT_FOUND ? NULL : arena_alloc(w->arena, close);
    size_t len = 0;
    for (size_t i = 0; url != NULL && i < close; i++) {
        size_t end = i;
        bool has_end = false;
        for (; end < close && (unsigned char)rest.data[end] <= ' '; end++)
            has_end |= rest.data[end] == '\n';
        if (end > i && !has_end)
            return none;
        if (end < close)
            url[len++] = rest.data[end];
        i = end;
    }
    return slice_make(url, url == NULL ? 0 : len);
}

/* Of a text that was encoded once more than it was decoded, where each "=" is "=3D", and "&"
 * perhaps "&amp;". */
static struct slice mended(struct work *w, struct slice url)
{
    size_t equals = count(url, '='), encoded = 0, len = 0;
    for (size_t i = 0; i < url.len; i++)
        encoded += slice_starts_with_nocase(slice_from(url, i), SLICE("=3D"));
    char *memory = arena_alloc(w->arena, url.len + 1);
    for (size_t i = 0; memory != NULL && i < url.len; i++) {
        memory[len++] = url.data[i];
        if (encoded == equals && slice_starts_with_nocase(slice_from(url, i), SLICE("=3D")))
            i += 2;
        else if (slice_starts_with_nocase(slice_from(url, i), SLICE("&amp;")))
            i += 4;
    }
    return slice_make(memory, len);
}

static void find_in_text(struct work *w, struct slice s, bool in_html)
{
    for (size_t at = 0; (at = find_scheme(s, at)) != SLICE_NOT_FOUND && !w->is_full;) {
        struct slice rest = slice_from(s, at), kept;
        struct slice url = in_angles(w, s, at);
        if (url.len == 0)
            url = without_marks(slice_part(rest, 0, url_end(rest)));
        bool is_odd = !in_html && (slice_contains_nocase(url, SLICE("=3D")) ||
                                   slice_contains_nocase(url, SLICE("&amp;")));
        if (clean(w, is_odd && url.len <= LINK_URL_MAX ? mended(w, url) : url, &kept))
            add(w, kept, slice_make(NULL, 0), text_before(s, at), in_html);
        at += url.len > 0 ? url.len : 1;
    }
}

/* ---- HTML ---- */

static bool is_within_link(const GumboNode *node)
{
    for (; node != NULL; node = node->parent)
        if (html_is_element(node) && slice_equal(html_tag_name(node), SLICE("a")))
            return true;
    return false;
}

static bool is_unseen(const GumboNode *node)
{
    for (; node != NULL; node = node->parent) {
        if (!html_is_element(node))
            continue;
        struct slice tag = html_tag_name(node);
        if (slice_equal(tag, SLICE("script")) || slice_equal(tag, SLICE("style")) ||
            slice_equal(tag, SLICE("head")) || slice_equal(tag, SLICE("template")))
            return true;
    }
    return false;
}

/* What is in it, with the words for its images. */
static struct slice words_in(struct work *w, const GumboNode *top)
{
    struct buffer b;
    struct slice value;
    buffer_init(&b, 16 * 1024);
    for (const GumboNode *n = html_next(top, top, false); n != NULL; n = html_next(top, n, false)) {
        if (html_is_text(n))
            buffer_append_string(&b, n->v.text.text);
        else if (html_is_element(n) && html_attribute(n, "alt", &value))
            buffer_append(&b, value);
        if (html_is_element(n))
            buffer_append_byte(&b, ' ');
    }
    if (slice_trim(buffer_slice(&b)).len == 0 &&
        (html_attribute(top, "title", &value) || html_attribute(top, "aria-label", &value) ||
         html_attribute(top, "value", &value)))
        buffer_append(&b, value);
    struct slice text = one_line(w, buffer_slice(&b));
    buffer_free(&b);
    return text;
}

/* The attribute by which an element leads somewhere; NULL: it does not. */
static const char *leading_attribute(struct slice tag)
{
    static const struct {
        const char *tag;
        const char *attribute;
    } all[] = { { "a", "href" }, { "area", "href" }, { "form", "action" },
                { "button", "formaction" }, { "input", "formaction" },
                { "v:roundrect", "href" }, { "v:rect", "href" } };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (slice_equal(tag, slice_from_string(all[i].tag)))
            return all[i].attribute;
    return NULL;
}

/* An address without a scheme leads somewhere only where the message says from where. */
static bool resolve(struct work *w, struct slice href, struct slice *out)
{
    char joined[LINK_URL_MAX];
    struct buffer b = { .memory = joined, .capacity = sizeof joined, .max = sizeof joined };
    if (clean(w, href, out))
        return true;
    href = slice_trim(href);
    bool has_scheme = slice_find(slice_part(href, 0, 20), ':') != SLICE_NOT_FOUND;
    if (w->base.len == 0 || href.len == 0 || href.data[0] == '#' || has_scheme)
        return false;
    size_t host = slice_find(slice_from(w->base, 8), '/');
    size_t end = href.data[0] == '/' ? (host == SLICE_NOT_FOUND ? w->base.len : host + 8)
                                     : slice_find_last(w->base, '/') + 1;
    buffer_append(&b, slice_part(w->base, 0, end));
    buffer_append(&b, href);
    return !b.overflow && clean(w, buffer_slice(&b), out);
}

static void find_in_element(struct work *w, const GumboNode *node)
{
    struct slice tag = html_tag_name(node), href, url;
    if (slice_equal(tag, SLICE("base")) && html_attribute(node, "href", &href) &&
        w->base.len == 0 && clean(w, href, &url)) {
        w->base = url;
        return;
    }
    const char *attribute = leading_attribute(tag);
    if (attribute != NULL && html_attribute(node, attribute, &href) && resolve(w, href, &url))
        add(w, url, words_in(w, node), slice_make(NULL, 0), true);
}

static void find_in_html(struct work *w, struct slice html)
{
    struct html tree;
    html_read(html, w->arena, &tree);
    const GumboNode *top = tree.root == NULL ? NULL : html_gumbo(tree.root);
    for (const GumboNode *node = top; node != NULL && !w->is_full;
         node = html_next(top, node, false)) {
        if (html_is_element(node))
            find_in_element(w, node);
        else if (html_is_text(node) && !is_within_link(node) && !is_unseen(node))
            find_in_text(w, slice_from_string(node->v.text.text), true);
    }
}

static void choose_best(struct links *links)
{
    double best = 0.3;
    for (size_t i = 0; i < links->count; i++) {
        const struct link *l = &links->items[i];
        double weight = l->kind == LINK_VERIFICATION || l->kind == LINK_RESET ? l->confidence : 0;
        if (weight > best) {
            best = weight;
            links->best = l;
        }
    }
}

bool links_find(const struct content_message *message, struct arena *arena,
                struct links *out_links)
{
    struct work w = { .arena = arena };
    w.found.items = arena_alloc_many(arena, LINKS_MAX, sizeof *w.found.items);
    if (w.found.items == NULL)
        return false;
    if (message->html.len > 0)
        find_in_html(&w, message->html);
    if (!message->is_text_made)
        find_in_text(&w, message->text, false);
    choose_best(&w.found);
    *out_links = w.found;
    return !w.is_full;
}

const char *link_kind_text(enum link_kind kind)
{
    static const char *const texts[] = { "verification", "reset", "unsubscribe", "legal", "social",
                                         "support", "view", "other" };
    return texts[kind];
}
