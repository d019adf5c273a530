"""8-bit mail to a hop of 7 bits: a bounce, or what RFC 6152 section 3 allows instead."""
import email
import email.policy
import random

import pytest

import godwit
from godwit import Client

OLD = ("PIPELINING", "DSN", "ENHANCEDSTATUSCODES", "SIZE")
ROUTE = 'routes: [{ deliver: { smtp: "%s", downgrade: %s } }]\n'

MULTIPART = (
    b"From: a@client.test\r\nMIME-Version: 1.0\r\nSubject: x\r\n"
    b"Content-Type: multipart/mixed; boundary=\"==b\"\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    b"--==b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    b"Gr\xc3\xbc\xc3\x9fe, \r\n.\r\n..dots\r\nFrom me\r\n\r\n--==b\r\n"
    b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    b"\xff\xfe\xfd\r\nend\r\n--==b\r\nContent-Type: text/plain\r\n\r\nplain = plain\r\n--==b--\r\n")


def old_hop(script=None):
    return godwit.Sink(extensions=OLD, script=script)


def server(data, sink, downgrade="quoted-printable"):
    return godwit.Godwit(data, config=ROUTE % (sink.address, downgrade))


def bodies(content):
    message = email.message_from_bytes(content, policy=email.policy.SMTP)
    return [part.get_payload(decode=True) for part in message.walk()
            if not part.is_multipart()]


def test_bodies_are_converted_and_mean_the_same(data):
    with old_hop() as sink, server(data, sink) as g:
        with Client(g.port) as c:
            assert c.message(MULTIPART)[0] == 250
        received = sink.wait(1)[0]
        assert all(byte < 128 for byte in received.content)
        assert bodies(received.content) == bodies(MULTIPART)
        assert b"plain = plain" in received.content
        assert received.options[0].endswith(f"SIZE={len(received.content)}")
        assert "BODY" not in received.options[0]


def test_a_hop_of_8_bits_gets_what_came(data, sink):
    with server(data, sink) as g:
        with Client(g.port) as c:
            assert c.message(MULTIPART)[0] == 250
        assert godwit.without_trace(sink.wait(1)[0].content) == MULTIPART


def test_a_large_message_is_converted_and_tried_again(data):
    """The first try ends in the middle; the second one begins anew."""
    def script(verb, argument, count):
        tries.append(verb) if verb == "DOT" else None
        return b"451 4.3.0 later\r\n" if verb == "DOT" and len(tries) == 1 else None
    tries = []
    octets = random.Random(1)
    lines = [bytes(octets.choice(b"ab =\t\xe4\xff.") for _ in range(octets.randrange(200)))
             for _ in range(20000)]
    content = (b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=latin1\r\n\r\n"
               + b"\r\n".join(lines) + b"\r\n")
    config = "queue: { retry_first: 1s }\n"
    with old_hop(script) as sink:
        with godwit.Godwit(data, config=ROUTE % (sink.address, "quoted-printable") + config) as g:
            with Client(g.port) as c:
                assert c.message(content)[0] == 250
            received = sink.wait(1)[0]
    assert bodies(received.content) == bodies(content)
    assert max(map(len, received.content.split(b"\r\n"))) <= 76
    assert len(tries) == 2


@pytest.mark.parametrize("downgrade, content", [
    ("bounce", MULTIPART),
    ("quoted-printable", b"Subject: \xc3\xbc\r\n\r\n\xc3\xbc\r\n"),
    ("quoted-printable", b"Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\n"
                         b"\xc3\xbc\r\n--b--\r\n"),
])
def test_what_cannot_be_converted_bounces(data, sink, downgrade, content):
    routes = ('routes: [{ to: "@far.test", deliver: { smtp: "%s", downgrade: %s } },\n'
              '         { deliver: { smtp: "%s" } }]\n')
    with old_hop() as old:
        config = routes % (old.address, downgrade, sink.address)
        with godwit.Godwit(data, config=config) as g, Client(g.port) as c:
            assert c.message(content)[0] == 250
            report = sink.wait(1)[0]
        assert report.sender == "" and b"5.6.3" in report.content
        assert old.messages == []


def test_the_rule_of_one_domain_is_not_that_of_another_at_the_same_hop(data):
    """Recipients of one transaction share their content: these two must not."""
    routes = ('routes: [{{ to: "@new.test", deliver: {{ smtp: "{0}", downgrade: bounce }} }},\n'
              '         {{ to: "@old.test", deliver: {{ smtp: "{0}", downgrade: quoted-printable '
              '}} }},\n         {{ deliver: {{ smtp: "{0}" }} }}]\n')
    with old_hop() as old:
        with godwit.Godwit(data, config=routes.format(old.address)) as g, Client(g.port) as c:
            assert c.message(MULTIPART, recipients=("a@new.test", "b@old.test"))[0] == 250
            got = {m.recipients[0]: m for m in old.wait(2)}
        assert set(got) == {"b@old.test", "a@client.test"}
        assert b"a@new.test" in got["a@client.test"].content
        assert b"5.6.3" in got["a@client.test"].content


SIGNED = [b"DKIM-Signature: v=1; a=rsa-sha256; d=client.test; s=s; h=from; bh=eA==; b=eA==\r\n",
          b"ARC-Message-Signature: i=1; a=rsa-sha256; d=x.test; s=s; h=from; bh=eA==; b=eA==\r\n"]


@pytest.mark.parametrize("signature", SIGNED)
def test_what_is_signed_is_not_converted(data, sink, signature):
    """Its signature would not outlive that (RFC 6376 5.3); plain mail passes all the same."""
    routes = ('routes: [{ to: "@far.test", deliver: { smtp: "%s", downgrade: quoted-printable } },\n'
              '         { deliver: { smtp: "%s" } }]\n')
    with old_hop() as old, godwit.Godwit(data, config=routes % (old.address, sink.address)) as g:
        with Client(g.port) as c:
            assert c.message(signature + MULTIPART)[0] == 250
            report = sink.wait(1)[0]
            assert report.sender == "" and b"5.6.3" in report.content
            assert old.messages == []
            plain = signature + b"Subject: x\r\n\r\nplain\r\n"
            assert c.message(plain)[0] == 250
        assert godwit.without_trace(old.wait(1)[0].content) == plain


@pytest.mark.parametrize("signature", SIGNED)
def test_or_it_is_where_that_is_said(data, signature):
    with old_hop() as sink, server(data, sink, "always") as g:
        with Client(g.port) as c:
            assert c.message(signature + MULTIPART)[0] == 250
        assert bodies(sink.wait(1)[0].content) == bodies(MULTIPART)
