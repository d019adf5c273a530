"""One-time codes and links: what a person would read out of a mail. The mails are our own; in
quoted-printable, base64 and old charsets too."""
import email.message
import email.policy
import json
import subprocess

import pytest

import codes_corpus
import codes_corpus_2
import godwit

CASES = codes_corpus.CASES + codes_corpus_2.CASES
CHARSETS = {"ja": "iso-2022-jp", "zh": "gb18030", "ru": "koi8-r", "uk": "windows-1251", "tr": "iso-8859-9",
            "ko": "euc-kr", "el": "iso-8859-7", "he": "windows-1255", "pl": "iso-8859-2", "de": "windows-1252"}


def mail(name, subject, text, html, charset="utf-8"):
    m = email.message.EmailMessage(policy=email.policy.SMTP)
    m["From"], m["To"], m["Subject"] = "A <a@a.test>", "b@b.test", subject
    if text:
        m.set_content(text, charset=charset)
        if html:
            m.add_alternative(html, subtype="html", charset=charset)
    else:
        m.set_content(html, subtype="html", charset=charset)
    return m.as_bytes()


def parse(word, octets):
    done = subprocess.run([godwit.PROGRAM, "parse", word, "-"], input=octets, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def charset_of(name, *texts):
    charset = CHARSETS.get(name.split("-")[0], "utf-8")
    try:
        for text in texts:
            (text or "").encode(charset)
    except UnicodeEncodeError:
        return "utf-8"
    return charset


@pytest.mark.parametrize("case", CASES, ids=[c[0] for c in CASES])
def test_code(case):
    name, subject, text, html, code = case
    found = parse("codes", mail(name, subject, text, html, charset_of(name, text, html)))
    assert found["code"] == code, found["candidates"][:3]
    assert found["found"] == (code is not None)


def test_no_code_in_templates(tmp_path):
    import glob
    import os
    paths = glob.glob(os.path.join(godwit.VECTORS, "templates", "basic", "*", "*.txt"))
    if not paths:
        pytest.skip("../shared/vectors is not here")
    for path in paths:
        with open(path, encoding="utf-8") as f:
            found = parse("codes", mail(path, "Hello", f.read(), None))
        assert not found["found"], (path, found["candidates"][:2])


LINKS = [
    ("text", "See https://a.test/v?x=1&y=2. Then (https://b.test/x_(y)), <https://c.test/p?q=1>; HTTPS://D.test/Z!",
     None, ["https://a.test/v?x=1&y=2", "https://b.test/x_(y)", "https://c.test/p?q=1", "HTTPS://D.test/Z"]),
    ("folded", "Open <https://c.test/very/long\n/path?token=abc> now", None, ["https://c.test/very/long/path?token=abc"]),
    ("cjk", "詳細は https://e.test/日本。次へ、https://f.test/a）", None, ["https://e.test/日本", "https://f.test/a"]),
    ("html", None, "<a href='https://a.test/v?x=1&amp;y=2&#38;z=3'>Go</a><a href=' https://f.test/a\n b '>x</a>"
     "<map><area href='https://area.test/'></map><form action='https://form.test/go'><button formaction="
     "'https://btn.test/'>b</button></form><a href='mailto:x@y.test'>m</a><a href='tel:+1'>t</a>"
     "<a href='javascript:x()'>j</a><a href='#top'>top</a><img src='https://pixel.test/p.gif'>"
     "<a href='//p.test/rel'>p</a><p>plain https://g.test/q?x=%20y.</p><!-- <a href='https://hidden.test/'>h</a> -->",
     ["https://a.test/v?x=1&y=2&z=3", "https://f.test/a%20b", "https://area.test/", "https://form.test/go",
      "https://btn.test/", "https://p.test/rel", "https://g.test/q?x=%20y"]),
    ("base", None, "<base href='https://base.test/dir/page'><a href='x?y=1'>x</a><a href='/abs'>y</a>",
     ["https://base.test/dir/x?y=1", "https://base.test/abs"]),
    ("both", "Verify: https://v.test/1", "<a href='https://v.test/1'>Verify</a>", ["https://v.test/1"]),
]


@pytest.mark.parametrize("case", LINKS, ids=[c[0] for c in LINKS])
def test_links(case):
    name, text, html, wanted = case
    found = parse("links", mail(name, "links", text, html))
    assert [link["url"] for link in found["links"]] == wanted


@pytest.mark.parametrize("text, kind", [
    ("Verify your address", "verification"), ("E-Mail-Adresse bestätigen", "verification"),
    ("Confirmer mon compte", "verification"), ("メールアドレスを認証する", "verification"), ("验证邮箱", "verification"),
    ("Reset password", "reset"), ("Passwort zurücksetzen", "reset"), ("パスワードを再設定", "reset"),
    ("Unsubscribe", "unsubscribe"), ("Se désabonner", "unsubscribe"), ("Отписаться", "unsubscribe"),
    ("Privacy policy", "legal"), ("Impressum", "legal"), ("View in browser", "view"), ("Our shop", "other")])
def test_kinds_of_links(text, kind):
    found = parse("links", mail("kind", "x", None, f"<p><a href='https://x.test/t/1'>{text}</a></p>"))
    assert found["links"][0]["kind"] == kind
    assert (found["best"] is not None) == (kind in ("verification", "reset"))
