"""TLS reports (RFC 8460): what came of sessions with mail hosts, told by mail and by HTTPS."""
import email
import gzip
import json
import subprocess

import pytest

import certificates
import godwit
from nameserver import NameServer
from policy_host import PolicyHost, answer
from test_mtasts import POLICY_HOST, text, world, zone  # noqa: F401
from test_routing import A1, A2, A3, Port25, submit

REPORTS = ("reports: { from: postmaster@mx.godwit.test }\n"
           "routes: [{ to: '@reports.test', deliver: { smtp: '%s' } }, { deliver: mx }]\n")
ASKS = {"_smtp._tls.far.test TXT": ['"v=TLSRPTv1; rua=mailto:tls@reports.test"']}


def report(g, *arguments):
    done = g.tool("report", *arguments, "--data", g.data)
    assert done.returncode == 0, done
    return done.stdout


def shown(g, domain="far.test"):
    return [json.loads(line) for line in report(g, "show", domain, "--json").splitlines()]


def gathered(g, count=1):
    godwit.wait_for(lambda: sum(r["count"] for r in shown(g)) >= count, "sessions to be counted")
    return [r for r in shown(g) if r["kind"] == "tls"]


def told(content):
    message = email.message_from_bytes(content)
    part = [p for p in message.walk() if p.get_filename()][0]
    return message, part, json.loads(gzip.decompress(part.get_payload(decode=True)))


def test_a_session_as_promised_and_one_that_was_not(world, sink):
    """The policy's host has another's certificate first, and then its own."""
    with NameServer(zone(**ASKS)) as names, world.policy(answer(text())), \
            world.start(names, more=REPORTS % sink.address, retry="1s") as g:
        with world.host(pair=world.mx2):
            submit(g)
            assert gathered(g)
        with world.host():
            godwit.wait_for(lambda: g.events("relayed"), "the mail")
            failures = sum(r["count"] for r in shown(g))
            assert gathered(g, failures + 1)  # when the connection has been idle for a while
        assert report(g, "send", "--today") == "1 sent\n"
        mail = sink.wait(1)[0]
        assert mail.recipients == ["tls@reports.test"]
        message, part, content = told(mail.content)
        assert message["TLS-Report-Domain"] == "far.test"
        assert message["TLS-Report-Submitter"] == "mx.godwit.test"
        assert message.get_content_type() == "multipart/report"
        assert message.get_param("report-type") == "tlsrpt"
        assert part.get_content_type() == "application/tlsrpt+gzip"
        assert part.get_filename().startswith("mx.godwit.test!far.test!")
        policy, = content["policies"]
        assert policy["policy"]["policy-type"] == "sts"
        assert policy["policy"]["policy-domain"] == "far.test"
        assert policy["policy"]["mx-host"] == ["mx1.far.test"]
        assert "version: STSv1" in policy["policy"]["policy-string"]
        assert policy["summary"]["total-successful-session-count"] == 1
        assert policy["summary"]["total-failure-session-count"] >= 1
        detail = policy["failure-details"][0]
        assert detail["result-type"] == "certificate-host-mismatch"
        assert detail["receiving-mx-hostname"] == "mx1.far.test"
        assert detail["receiving-ip"] == A1
        done = subprocess.run([godwit.PROGRAM, "parse", "tls-report", "--json"], input=mail.content,
                              capture_output=True, check=True)
        assert json.loads(done.stdout)["report-id"] == content["report-id"]


def test_without_a_policy_clear_text_is_told(world, sink):
    with NameServer(zone(record=None, **ASKS)) as names, \
            world.start(names, more=REPORTS % sink.address) as g, Port25(A1):
        submit(g)
        one, = gathered(g)
        assert one["policy"]["policy-type"] == "no-policy-found"
        assert one["records"][0]["result-type"] == "starttls-not-supported"


@pytest.mark.parametrize("records, why", [
    ([], "the domain asks for no such reports"),
    (['"v=TLSRPTv1; rua=mailto:a@reports.test"', '"v=TLSRPTv1; rua=mailto:b@reports.test"'],
     "the domain asks for no such reports"),
    (['"v=TLSRPTv1; rua=ftp://far.test/"'], "the domain asks for no such reports"),
])
def test_who_does_not_ask_gets_none(world, sink, records, why):
    with NameServer(zone(record=None, **{"_smtp._tls.far.test TXT": records})) as names, \
            world.start(names, more=REPORTS % sink.address) as g, Port25(A1):
        submit(g)
        assert gathered(g)
        assert report(g, "send", "--today") == "0 sent\n"
        assert [(r["state"], r["why"]) for r in shown(g)] == [("unwanted", why)]
        assert not sink.messages


@pytest.mark.parametrize("status, state", [(b"201 Created", "sent"), (b"500 Oh", "open")])
def test_by_https(world, sink, status, state, tmp_path):
    pair = certificates.make(tmp_path, "in.reports.test")
    world.believe(pair, world.mx)
    asks = {"_smtp._tls.far.test TXT": ['"v=TLSRPTv1; rua=https://in.reports.test/v1"'],
            "in.reports.test A": [A2], "in.reports.test AAAA": []}
    with NameServer(zone(record=None, **asks)) as names, \
            world.start(names, more=REPORTS % sink.address) as g, Port25(A1), \
            PolicyHost(pair, answer(b"", status=status), host=A2, port=443) as web:
        submit(g)
        assert gathered(g)
        report(g, "send", "--today")
        assert [r["state"] for r in shown(g)] == [state]
        head, body = web.requests[0].split(b"\r\n\r\n", 1)
        assert head.startswith(b"POST /v1 HTTP/1.1") and b"application/tlsrpt+gzip" in head
        assert json.loads(gzip.decompress(body))["policies"][0]["policy"]["policy-domain"] == "far.test"
