"""The test DNS on a port, asked by a resolver that nobody here wrote, and by octets that are no question."""
import os
import re
import socket
import struct
import subprocess

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import pytest

import box
import godwit

ZONE = {
    "App.test": {"A": ["192.0.2.1", "192.0.2.2"], "AAAA": ["2001:db8::1"], "MX": [[10, "mx.app.test"], [20, "mx2.app.test"]],
                 "TXT": ["v=spf1 -all", ["two ", "parts"]]},
    "www.app.test": {"CNAME": ["app.test"]}, "lost.app.test": {"CNAME": ["none.test"]}, "loop.test": {"CNAME": ["loop.test"]},
    "1.2.0.192.in-addr.arpa": {"PTR": ["app.test"]}, "_dmarc.app.test": {"TXT": ["v=DMARC1; p=none"]},
    "big.test": {"TXT": [f"{n}" + "x" * 200 for n in range(20)]}, "huge.test": {"TXT": ["y" * 60000]},
    "broken.test": "SERVFAIL", "half.test": {"A": ["192.0.2.9"], "TXT": "SERVFAIL"}, "silent.test": "TIMEOUT",
}


@pytest.fixture(scope="module")
def server():
    with box.Sandbox("--dns", "127.0.0.1:0") as s:
        line = s.process.stdout.readline()
        s.dns = int(re.search(r"DNS on 127\.0\.0\.1:(\d+)", line).group(1))
        s.own("PUT", "/dns", {"zone": ZONE})
        yield s


def ask(server, name, kind, how=dns.query.udp, timeout=10, **more):
    return how(dns.message.make_query(name, kind, **more), "127.0.0.1", port=server.dns, timeout=timeout)


def values(answer):
    return sorted(r.to_text() for rrset in answer.answer for r in rrset)


@pytest.mark.parametrize("how", [dns.query.udp, dns.query.tcp])
@pytest.mark.parametrize("name, kind, told", [
    ("app.test", "A", ["192.0.2.1", "192.0.2.2"]), ("APP.TEST.", "AAAA", ["2001:db8::1"]),
    ("app.test", "MX", ["10 mx.app.test.", "20 mx2.app.test."]), ("app.test", "TXT", ['"two " "parts"', '"v=spf1 -all"']),
    ("1.2.0.192.in-addr.arpa", "PTR", ["app.test."]), ("_dmarc.app.test", "TXT", ['"v=DMARC1; p=none"']),
    ("www.app.test", "CNAME", ["app.test."]), ("www.app.test", "A", ["192.0.2.1", "192.0.2.2", "app.test."]), ("half.test", "A", ["192.0.2.9"])])
def test_what_there_is(server, how, name, kind, told):
    answer = ask(server, name, kind, how)
    assert values(answer) == told and answer.rcode() == dns.rcode.NOERROR
    assert answer.flags & dns.flags.AA and not answer.flags & dns.flags.RA


@pytest.mark.parametrize("name, kind, rcode", [
    ("none.test", "A", "NXDOMAIN"), ("app.test", "PTR", "NOERROR"), ("app.test", "SRV", "NOERROR"), ("broken.test", "A", "SERVFAIL"),
    ("half.test", "TXT", "SERVFAIL"), (".", "A", "NXDOMAIN")])
def test_what_there_is_not(server, name, kind, rcode):
    answer = ask(server, name, kind)
    assert dns.rcode.to_text(answer.rcode()) == rcode and values(answer) == []


def test_a_name_of_a_name_that_is_not_there(server):
    answer = ask(server, "lost.app.test", "A")
    assert answer.rcode() == dns.rcode.NXDOMAIN and values(answer) == ["none.test."]
    assert ask(server, "loop.test", "A").rcode() in (dns.rcode.NOERROR, dns.rcode.SERVFAIL)


def test_what_has_no_room_is_asked_again(server):
    answer = ask(server, "big.test", "TXT")
    assert answer.flags & dns.flags.TC and values(answer) == []
    assert len(ask(server, "big.test", "TXT", use_edns=0, payload=4096).to_wire()) <= 1232
    assert len(values(ask(server, "big.test", "TXT", dns.query.tcp))) == 20
    assert len(values(ask(server, "huge.test", "TXT", dns.query.tcp))) == 1


def test_who_gets_no_answer(server):
    with pytest.raises(dns.exception.Timeout):
        ask(server, "silent.test", "A", timeout=0.3)
    with pytest.raises((EOFError, OSError)):
        ask(server, "silent.test", "A", dns.query.tcp)


def test_other_questions_are_refused(server):
    query = dns.message.make_query("app.test", "A", rdclass="CH")
    assert dns.query.udp(query, "127.0.0.1", port=server.dns, timeout=10).rcode() == dns.rcode.REFUSED
    update = bytearray(dns.message.make_query("app.test", "A").to_wire())
    update[2] |= 0x28  # opcode 5
    reply = exchange(server, bytes(update))
    assert reply[3] & 15 == dns.rcode.NOTIMP


def exchange(server, octets):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(10)
        s.sendto(octets, ("127.0.0.1", server.dns))
        return s.recv(65536)


def test_octets_that_are_no_question(server):
    """Each cut, and each octet changed: an answer or none, and the server goes on."""
    wire = dns.message.make_query("app.test", "A", use_edns=0).to_wire()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for n in range(len(wire)):
            s.sendto(wire[:n], ("127.0.0.1", server.dns))
            for change in (0xFF, 0x80, 0x00, 0x3F):
                s.sendto(wire[:n] + bytes([change]) + wire[n + 1:], ("127.0.0.1", server.dns))
        s.sendto(os.urandom(1400), ("127.0.0.1", server.dns))
        s.sendto(b"", ("127.0.0.1", server.dns))
    assert values(ask(server, "half.test", "A")) == ["192.0.2.9"]


def test_over_tcp_octet_by_octet_and_several_at_once(server):
    wire = dns.message.make_query("half.test", "A").to_wire()
    framed = struct.pack("!H", len(wire)) + wire
    with socket.create_connection(("127.0.0.1", server.dns), timeout=10) as s:
        for octet in framed:
            s.sendall(bytes([octet]))
        s.sendall(framed * 3)
        f = s.makefile("rb")
        for _ in range(4):
            (length,) = struct.unpack("!H", f.read(2))
            assert values(dns.message.from_wire(f.read(length))) == ["192.0.2.9"]
    for octets in (b"\x00\x00", b"\xff\xff" + b"x" * 70000, b"\x00\x05abcde"):
        with socket.create_connection(("127.0.0.1", server.dns), timeout=10) as s:
            try:
                s.sendall(octets)
                s.shutdown(socket.SHUT_WR)
                while s.recv(65536):
                    pass
            except OSError:
                pass
    many = [socket.create_connection(("127.0.0.1", server.dns), timeout=10) for _ in range(80)]
    for s in many:
        s.close()

    def is_answered():  # there is room again when those have gone
        try:
            return values(ask(server, "half.test", "A", dns.query.tcp)) == ["192.0.2.9"]
        except (EOFError, OSError):
            return False
    godwit.wait_for(is_answered, "an answer over TCP")


def test_only_where_it_was_asked_for(tmp_path):
    done = subprocess.run([godwit.PROGRAM, "sandbox", "--dns", "nowhere"], capture_output=True, text=True, timeout=20)
    assert done.returncode == 64 and "127.0.0.1:1053" in done.stderr


def test_our_own_tools_ask_it(server, tmp_path):
    """The MTA's verifier, by the same records."""
    message = tmp_path / "m.eml"
    message.write_bytes(b"From: a@app.test\r\n\r\nx\r\n")
    done = subprocess.run([godwit.PROGRAM, "check", "--dns", f"127.0.0.1:{server.dns}", "--ip", "192.0.2.77", "--mail-from", "a@app.test",
                           "--helo", "x.test", str(message)], capture_output=True, text=True, timeout=60)
    assert '"result": "fail"' in done.stdout.replace('":"', '": "'), done.stdout + done.stderr
