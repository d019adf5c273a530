"""A sandbox for a test: `godwit sandbox` on ports of the kernel's choosing, and its API."""
import json
import os
import re
import smtplib
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from email.message import EmailMessage
from email.policy import SMTP

import godwit

OWN = "/api/godwit/v1"


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    @property
    def json(self):
        return json.loads(self.body)


class Sandbox:
    def __init__(self, *arguments, data=None, environment=None, wrapper=()):
        self.command = [*wrapper, godwit.PROGRAM, "sandbox", "--smtp", "127.0.0.1:0", "--http",
                        "127.0.0.1:0", *arguments]
        if data:
            self.command += ["--data", data]
        self.environment = {**os.environ, **(environment or {})}
        self.said = ""
        self.start()

    def start(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, env=self.environment)
        for _ in range(2):
            line = self.process.stdout.readline()
            self.said += line
            if not line:
                raise AssertionError(self.process.stderr.read())
        self.smtp = int(re.search(r"SMTP on \S+:(\d+)", self.said).group(1))
        self.http = int(re.findall(r"HTTP on http://\S+:(\d+)", self.said)[-1])
        self.url = f"http://127.0.0.1:{self.http}"

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        code = self.stop()
        if kind is None:
            assert "Sanitizer" not in self.errors and "runtime error" not in self.errors, self.errors
            assert code == 0, self.errors

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=30)
        self.process.stdout.close()
        self.errors = self.process.stderr.read() if not self.process.stderr.closed else ""
        self.process.stderr.close()
        return self.process.returncode

    def ask(self, method, path, body=None, key=None, headers=None, timeout=60):
        """The answer, whatever its status. A body that is no bytes is sent as JSON."""
        url = self.url + path
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(url, data=data, method=method)
        if data is not None and not isinstance(body, bytes):
            request.add_header("Content-Type", "application/json")
        for name, value in {**({"x-api-key": key} if key else {}), **(headers or {})}.items():
            request.add_header(name, value)
        opener = urllib.request.build_opener(NoRedirect, urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=timeout) as answer:
                return Answer(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read())

    def get(self, path, **more):
        return self.ask("GET", path, **more)

    def own(self, method, path, body=None, **more):
        """Our own API: the JSON of an answer that is good."""
        answer = self.ask(method, OWN + path, body, **more)
        assert answer.status in (200, 201), (answer.status, answer.text)
        return answer.json

    def wait(self, key=None, timeout="10s", **wish):
        return self.own("GET", "/wait?" + urllib.parse.urlencode({"timeout": timeout, **wish}),
                        key=key)

    def deliver(self, message, sender="sender@example.test", to=("you@example.test",),
                login=None):
        """Octets, or an EmailMessage, over SMTP; the id that the reply tells."""
        data = message if isinstance(message, bytes) else message.as_bytes(policy=SMTP)
        with smtplib.SMTP("127.0.0.1", self.smtp, timeout=30) as client:
            client.ehlo("client.test")
            if login:
                client.login(*login)
            client.mail(sender)
            for address in to:
                code, text = client.rcpt(address)
                assert code == 250, text
            code, text = client.data(data)
        assert code == 250, text
        return re.search(r"queued as (\S+)", text.decode()).group(1)


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def mail(subject="Hello", text="Hello there", html=None, files=(), sender="Ann <ann@a.test>",
         to="you@example.test", **fields):
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, to, subject
    for name, value in fields.items():
        message[name.replace("_", "-")] = value
    message.set_content(text)
    if html:
        message.add_alternative(html, subtype="html")
    for name, kind, octets in files:
        main, sub = kind.split("/")
        message.add_attachment(octets, maintype=main, subtype=sub, filename=name)
    return message
