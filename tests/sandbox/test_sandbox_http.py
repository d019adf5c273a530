"""What is not let in over HTTP, and what a message cannot do to whoever looks at it (HOSTILE 128,
129, 131, and the faults that others have had)."""
import base64
import contextlib
import os
import socket

import pytest

import box


def say(sandbox, octets, end=True):
    with socket.create_connection(("127.0.0.1", sandbox.http), timeout=5) as s:
        s.sendall(octets)
        if end:
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_WR)
        said = b""
        try:
            while piece := s.recv(65536):
                said += piece
        except (ConnectionResetError, TimeoutError):
            pass
    return said


def status(said):
    return int(said.split(b" ", 2)[1]) if said.startswith(b"HTTP/") else None


HEAD = b"POST /api/godwit/v1/inboxes HTTP/1.1\r\nHost: localhost\r\n"


@pytest.mark.parametrize("request_", [
    HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}",
    HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
    HEAD + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    HEAD + b"Content-Length: +2\r\n\r\n{}", HEAD + b"Content-Length: 2, 2\r\n\r\n{}",
    HEAD + b"Content-Length: -1\r\n\r\n", HEAD + b"Content-Length: 0x2\r\n\r\n{}",
    HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n{}\r\n0\r\n\r\n",
    b"GET /livez HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"GET /livez HTTP/1.1\r\n\r\n",
    b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n", b"\x16\x03\x01\x00\x05hello", b"GET\r\n\r\n",
], ids=lambda r: r[-28:].decode("latin-1"))
def test_what_can_be_read_in_two_ways_is_refused(sandbox, request_):
    said = say(sandbox, request_)
    assert status(said) in (None, 400, 413, 501, 505), said[:200]
    assert b'"address"' not in said
    assert sandbox.get("/livez").status == 200


@pytest.mark.parametrize("path", [
    "/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/..%2f..%2fetc/passwd", "/app.js/../../x",
    "/api/v1/message/..%2f..%2fx", "/view/..%2fx.html", "/email/x/attachment/..%2f..%2fetc%2fpasswd",
    "/%00", "/api/v1/message/%00", "//etc/passwd", "/./app.js", "/APP.JS"])
def test_no_file_but_the_pages_own(sandbox, path):
    said = say(sandbox, f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    assert status(said) in (400, 404), said[:200]


def test_large_requests_end(sandbox):
    big = say(sandbox, b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * (1 << 20) + b"\r\n\r\n")
    assert status(big) in (None, 400, 413, 431), big[:200]
    long = say(sandbox, b"GET /" + b"x" * 60000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert status(long) in (None, 400, 404, 414, 431), long[:200]
    many = say(sandbox, b"GET /livez HTTP/1.1\r\nHost: localhost\r\n" + b"A: b\r\n" * 3000 + b"\r\n")
    assert status(many) in (None, 400, 413, 431), many[:200]
    body = say(sandbox, HEAD + b"Content-Length: 99999999\r\n\r\n")
    assert status(body) == 413
    deep = sandbox.ask("POST", box.OWN + "/inboxes", b"[" * 100000)
    assert deep.status == 400
    keys = sandbox.ask("POST", box.OWN + "/inboxes", b"{" + b",".join(b'"k%d":1' % i for i in range(100000)) + b"}")
    assert keys.status in (200, 201, 400)
    assert sandbox.get("/livez").status == 200


@pytest.mark.parametrize("origin", ["http://evil.test", "null", "http://localhost.evil.test", "file://",
                                    "http://127.0.0.1:1"])
def test_another_sites_page_changes_nothing(sandbox, origin):
    headers = {"Origin": origin}
    assert sandbox.ask("POST", box.OWN + "/inboxes", {}, headers=headers).status == 403
    assert sandbox.ask("DELETE", "/api/v1/messages", headers=headers).status == 403
    answer = sandbox.get(box.OWN + "/info", headers=headers)
    assert "Access-Control-Allow-Origin" not in answer.headers
    key = base64.b64encode(os.urandom(16)).decode()
    said = say(sandbox, f"GET /api/events HTTP/1.1\r\nHost: 127.0.0.1:{sandbox.http}\r\nOrigin: {origin}\r\n"
               f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
               f"Sec-WebSocket-Key: {key}\r\n\r\n".encode())
    assert status(said) == 403, said[:200]


def test_our_own_page_may(sandbox):
    assert sandbox.ask("POST", box.OWN + "/inboxes", {},
                       headers={"Origin": f"http://127.0.0.1:{sandbox.http}"}).status == 201


@pytest.mark.parametrize("host, good", [("evil.example.com", False), ("localhost:8025", True), ("mailpit", True),
                                        ("127.0.0.1", True), ("[::1]:8025", True), ("box.localhost", True),
                                        ("rebind.attacker.net:8025", False), ("app.test", True)])
def test_names_of_others_are_not_served(sandbox, host, good):
    said = say(sandbox, f"GET /api/v1/info HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    assert status(said) == (200 if good else 403), said[:300]


def test_websocket(sandbox):
    key = base64.b64encode(b"the sample nonce").decode()
    with socket.create_connection(("127.0.0.1", sandbox.http), timeout=20) as s:
        s.sendall(f"GET /api/events HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                  f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                  f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode())
        said = b""
        while b"\r\n\r\n" not in said:
            said += s.recv(4096)
        assert b"101 " in said and b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in said  # RFC 6455 1.3
        identifier = sandbox.deliver(box.mail("over the socket"))
        while identifier.encode() not in said or b'"stats"' not in said:
            piece = s.recv(65536)
            assert piece
            said += piece
        s.sendall(b"\x88\x80\x00\x00\x00\x00")  # close
        while s.recv(4096):
            pass
    assert key


def test_a_field_of_a_mail_makes_no_field_of_ours(sandbox):
    name = 'a"; filename="b.html\r\nX-Evil: 1'
    m = box.mail("f", files=[("x", "text/html", b"<script>1</script>")]).as_bytes().replace(
        b'filename="x"', b'filename="' + name.replace('"', '\\"').replace("\r\n", "=0D=0A").encode() + b'"')
    identifier = sandbox.deliver(m.replace(b"\n", b"\r\n"))
    message = sandbox.wait(search="subject:f")["messages"][-1]
    for file in message["files"]:
        answer = sandbox.get(f"/api/v1/message/{identifier}/part/{file['part']}")
        assert answer.headers.get("X-Evil") is None
        assert "sandbox" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("url", [
    "http://127.0.0.1:8025/api", "http://169.254.169.254/", "http://[::ffff:127.0.0.1]/", "http://64:ff9b::7f00:1/",
    "http://0177.1/", "file:///etc/passwd", "gopher://x/"])
def test_links_are_never_followed(sandbox, url):
    """No part of it asks the network for what a message names: there is nothing to be misled."""
    identifier = sandbox.deliver(box.mail("links", html=f"<a href='{url}'>x</a><img src='{url}'>"))
    sandbox.wait(search="subject:links")
    answer = sandbox.get(f"/api/v1/message/{identifier}/link-check?follow=true")
    assert answer.status == 200
    assert all(link["StatusCode"] == 0 for link in answer.json["Links"])


@pytest.mark.parametrize("field", ["Subject", "To", "From", "Cc", "ReplyTo", "Headers"])
def test_sent_mail_has_no_fields_but_those_that_were_meant(sandbox, field):
    body = {"From": {"Email": "a@a.test", "Name": "A"}, "To": [{"Email": "b@b.test", "Name": "B"}],
            "Subject": "s", "Text": "t"}
    evil = "x\r\nBcc: evil@e.test\r\n\r\nbody"
    body.update({"Subject": {"Subject": evil}, "To": {"To": [{"Email": "b@b.test", "Name": evil}]},
                 "From": {"From": {"Email": "a@a.test\r\nRCPT TO:<evil@e.test>"}}, "Cc": {"Cc": [{"Email": evil}]},
                 "ReplyTo": {"ReplyTo": [{"Email": "a@a.test", "Name": evil}]},
                 "Headers": {"Headers": {"X-A": evil}}}[field])
    answer = sandbox.ask("POST", "/api/v1/send", body)
    assert answer.status == 400 and answer.json["Error"]
    found = sandbox.own("GET", "/messages?search=evil")
    assert found["count"] == 0
