"""Reports of delivery (RFC 3461 to 3464), and what a hop cannot take (5.6.3, 5.6.7)."""
import email
import email.policy
import re

import pytest

import godwit
from godwit import Client

LATER = "queue: { retry_first: 1h }\n"
PLAIN = ("PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES")
CONTENT = (b"From: <a@client.test>\r\nSubject: the subject\r\nMessage-ID: <m1@client.test>\r\n\r\n"
           b"the body\r\n")


def refuse(recipient, reply=b"550 5.1.1 <gone@far.test>: nobody of that name\r\n"):
    return lambda verb, argument, count: (
        reply if verb == "RCPT" and recipient in argument else None)


def submit(g, recipients, mail="", sender="a@client.test", content=CONTENT):
    """recipients: address and parameters of each."""
    with Client(g.port) as c:
        assert c.code("EHLO client.test") == 250
        assert c.code(f"MAIL FROM:<{sender}> {mail}".rstrip()) == 250
        for recipient, parameters in recipients:
            assert c.code(f"RCPT TO:<{recipient}> {parameters}".rstrip()) == 250
        c.send(b"BDAT %d LAST\r\n" % len(content) + content)
        assert c.reply()[0] == 250


class Report:
    """A multipart/report as Python's own parser reads it."""

    def __init__(self, message):
        assert message.sender == "" and message.recipients == ["a@client.test"]
        self.whole = email.message_from_bytes(message.content, policy=email.policy.default)
        assert not self.whole.defects
        assert self.whole.get_content_type() == "multipart/report"
        assert self.whole.get_param("report-type") == "delivery-status"
        self.text, status, *original = self.whole.iter_parts()
        for part in self.whole.walk():
            assert not part.defects, part.defects
        assert status.get_content_type() == "message/delivery-status"
        self.message_fields, *self.recipients = status.get_payload()
        self.original = original[0] if original else None


def reports(sink):
    return [Report(m) for m in sink.messages if m.sender == ""]


def wait_report(sink):
    return godwit.wait_for(lambda: reports(sink), "a report")[0]


def test_a_bounce_can_be_read(data):
    with godwit.Sink(extensions=PLAIN, script=refuse("gone")) as sink, \
            godwit.Godwit(data, "--next-hop", sink.address, config=LATER) as g:
        submit(g, [("gone@far.test", ""), ("good@far.test", "")])
        report = wait_report(sink)
        whole = report.whole
        assert whole["Auto-Submitted"] == "auto-replied"
        assert whole["To"].addresses[0].addr_spec == "a@client.test"
        assert "mx.godwit.test" in whole["From"]
        for field in ("Subject", "Date", "Message-ID", "MIME-Version"):
            assert whole[field]
        assert report.message_fields["Reporting-MTA"] == "dns; mx.godwit.test"
        recipient, = report.recipients
        assert recipient["Final-Recipient"] == "rfc822; gone@far.test"
        assert recipient["Action"] == "failed" and recipient["Status"] == "5.1.1"
        assert recipient["Diagnostic-Code"].startswith("smtp; 550 5.1.1")
        assert "nobody of that name" in recipient["Diagnostic-Code"]
        assert "gone@far.test" in report.text.get_content()
        assert report.original.get_content_type() == "message/rfc822"
        original = report.original.get_payload()[0]
        assert original["Subject"] == "the subject"
        assert "the body" in original.get_content()
        godwit.wait_for(lambda: g.queue() == [], "an empty queue")
        assert len(reports(sink)) == 1


@pytest.mark.parametrize("ret,whole", [("RET=HDRS", False), ("RET=FULL", True), ("", True)])
def test_envelope_id_original_recipient_and_ret(data, ret, whole):
    with godwit.Sink(extensions=PLAIN, script=refuse("gone")) as sink, \
            godwit.Godwit(data, "--next-hop", sink.address, config=LATER) as g:
        submit(g, [("gone@far.test", "ORCPT=rfc822;first+2Bone@else.test NOTIFY=FAILURE,DELAY")],
               mail=f"{ret} ENVID=id+2B7")
        report = wait_report(sink)
        assert report.message_fields["Original-Envelope-Id"] == "id+7"
        assert report.recipients[0]["Original-Recipient"] == "rfc822; first+one@else.test"
        assert report.original.get_content_type() == ("message/rfc822" if whole
                                                      else "text/rfc822-headers")
        assert ("the body" in report.original.as_string()) == whole


@pytest.mark.parametrize("sender,notify", [("a@client.test", "NOTIFY=NEVER"),
                                           ("a@client.test", "NOTIFY=SUCCESS"),
                                           ("a@client.test", "NOTIFY=DELAY"), ("", "")])
def test_no_bounce_where_none_is_wanted(data, sender, notify):
    with godwit.Sink(extensions=PLAIN, script=refuse("gone")) as sink, \
            godwit.Godwit(data, "--next-hop", sink.address, config=LATER) as g:
        submit(g, [("gone@far.test", notify)], sender=sender)
        godwit.wait_for(lambda: g.events("failed"), "the failure")
        godwit.wait_for(lambda: g.queue() == [], "an empty queue")
        assert g.events("reported") == [] and sink.messages == []


def test_no_bounce_of_a_bounce(data):
    with godwit.Sink(extensions=PLAIN, script=refuse("", b"550 5.1.1 nobody\r\n")) as sink, \
            godwit.Godwit(data, "--next-hop", sink.address, config=LATER) as g:
        submit(g, [("gone@far.test", "")])
        godwit.wait_for(lambda: len(g.events("failed")) == 2, "both fail")
        godwit.wait_for(lambda: g.queue() == [], "an empty queue")
        assert len(g.events("reported")) == 1


def test_success_is_reported_as_relayed_by_us(data):
    """The hop offers no DSN: it is the end of what can be known."""
    with godwit.Sink(extensions=PLAIN) as sink, \
            godwit.Godwit(data, "--next-hop", sink.address, config=LATER) as g:
        submit(g, [("b@far.test", "NOTIFY=SUCCESS"), ("c@far.test", "")])
        report = wait_report(sink)
        recipient, = report.recipients
        assert recipient["Action"] == "relayed" and recipient["Status"].startswith("2.")
        assert recipient["Final-Recipient"] == "rfc822; b@far.test"


def test_success_is_left_to_a_hop_that_offers_dsn(data):
    with godwit.Sink() as sink, \
            godwit.Godwit(data, "--next-hop", sink.address, config=LATER) as g:
        submit(g, [("b@far.test", "NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;o+2Bx@else.test"),
                   ("c@far.test", "NOTIFY=NEVER")], mail="RET=HDRS ENVID=e1")
        sink.wait(1)
        godwit.wait_for(lambda: g.queue() == [], "an empty queue")
        mail, first, second = sink.messages[0].options
        assert "RET=HDRS" in mail and "ENVID=e1" in mail
        assert re.search(r"NOTIFY=(SUCCESS,FAILURE|FAILURE,SUCCESS)", first)
        assert "ORCPT=rfc822;o+2Bx@else.test" in first and "NOTIFY=NEVER" in second
        assert g.events("reported") == []


def test_success_in_a_mailbox_is_reported_as_delivered(data, tmp_path):
    with godwit.Sink(extensions=PLAIN) as sink:
        config = LATER + f"domains: {{ our.test: {{ users: [anna], " \
            f"deliver: {{ maildir: '{tmp_path}/{{user}}' }} }} }}\n" \
            f"routes: [{{ deliver: {{ smtp: '{sink.address}' }} }}]\n"
        with godwit.Godwit(data, config=config) as g:
            submit(g, [("anna@our.test", "NOTIFY=SUCCESS")])
            report = wait_report(sink)
            assert report.recipients[0]["Action"] == "delivered"


def test_given_up_after_the_lifetime(data):
    config = "queue: { retry_first: 100ms, retry_max: 200ms, lifetime: 1s }\n"
    with godwit.Sink(extensions=PLAIN, script=refuse("full", b"452 4.2.2 full\r\n")) as sink, \
            godwit.Godwit(data, "--next-hop", sink.address, config=config) as g:
        submit(g, [("full@far.test", "")])
        report = wait_report(sink)
        assert report.recipients[0]["Action"] == "failed"
        assert report.recipients[0]["Status"] == "5.4.7"
        assert len(g.events("deferred")) >= 2


def test_a_large_original_is_returned_as_its_header(data):
    with godwit.Sink(extensions=PLAIN, script=refuse("gone")) as sink, \
            godwit.Godwit(data, "--next-hop", sink.address, config=LATER) as g:
        submit(g, [("gone@far.test", "")], content=CONTENT + (b"x" * 70 + b"\r\n") * 20000)
        report = wait_report(sink)
        assert report.original.get_content_type() == "text/rfc822-headers"
        assert "the subject" in report.original.as_string()


def test_utf8_addresses_to_a_hop_without(data):
    """HOSTILE 56: 5.6.7, no silent rewriting; the sender's own hop takes it."""
    with godwit.Sink(extensions=("PIPELINING", "8BITMIME")) as sink, \
            godwit.Godwit(data, "--next-hop", sink.address, config=LATER) as g:
        submit(g, [("grüße@far.test", "")], mail="SMTPUTF8")
        event, = godwit.wait_for(lambda: g.events("failed"), "the failure")
        assert event["status"] == "5.6.7"
        report = wait_report(sink)
        assert report.recipients[0]["Status"] == "5.6.7"
        assert sink.messages[0].content.isascii()


def test_utf8_addresses_to_a_hop_with(data):
    with godwit.Sink() as sink, \
            godwit.Godwit(data, "--next-hop", sink.address, config=LATER) as g:
        content = "From: <ä@client.test>\r\nSubject: ü\r\n\r\nß\r\n".encode()
        submit(g, [("grüße@far.test", "")], mail="SMTPUTF8 BODY=8BITMIME", sender="ä@client.test",
               content=content)
        message = sink.wait(1)[0]
        assert message.recipients == ["grüße@far.test"] and message.sender == "ä@client.test"
        assert godwit.without_trace(message.content) == content
        assert "UTF8SMTP" in message.content.decode()[:300]


def test_eight_bits_to_a_hop_of_seven(data):
    with godwit.Sink(extensions=("PIPELINING",)) as sink, \
            godwit.Godwit(data, "--next-hop", sink.address, config=LATER) as g:
        submit(g, [("b@far.test", "")], mail="BODY=8BITMIME",
               content="Subject: x\r\n\r\nß\r\n".encode())
        event, = godwit.wait_for(lambda: g.events("failed"), "the failure")
        assert event["status"] == "5.6.3"
        report = wait_report(sink)
        assert report.recipients[0]["Status"] == "5.6.3"
        assert sink.messages[0].content.isascii()


def test_binary_to_a_hop_without(data):
    with godwit.Sink(extensions=("PIPELINING", "8BITMIME", "CHUNKING")) as sink, \
            godwit.Godwit(data, "--next-hop", sink.address, config=LATER) as g:
        submit(g, [("b@far.test", "")], mail="BODY=BINARYMIME",
               content=b"Subject: x\r\n\r\n\0\r\n.\r\nbare\nlf")
        event, = godwit.wait_for(lambda: g.events("failed"), "the failure")
        assert event["status"] == "5.6.3"


def test_binary_to_a_hop_that_takes_it(data):
    content = b"Subject: x\r\n\r\n\0\r\n.\r\nbare\nlf\r\n"
    with godwit.Sink(extensions=("PIPELINING", "8BITMIME", "CHUNKING", "BINARYMIME")) as sink, \
            godwit.Godwit(data, "--next-hop", sink.address, config=LATER) as g:
        submit(g, [("b@far.test", "")], mail="BODY=BINARYMIME", content=content)
        message = sink.wait(1)[0]
        assert godwit.without_trace(message.content) == content
        assert "BODY=BINARYMIME" in message.options[0]


def test_larger_than_the_hop_takes(data):
    with godwit.Sink(extensions=("SIZE 1000",)) as sink, \
            godwit.Godwit(data, "--next-hop", sink.address, config=LATER) as g:
        submit(g, [("b@far.test", "")], content=CONTENT + b"x\r\n" * 1000, sender="")
        event, = godwit.wait_for(lambda: g.events("failed"), "the failure")
        assert event["status"] == "5.3.4"
        assert sink.messages == []
