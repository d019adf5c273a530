"""Mail from the clients that people have: each arrives byte by byte at the next hop."""
import smtplib
import subprocess

import pytest

import godwit
import peers

RECIPIENT = "anna@far.test"


def swaks(g, path):
    return [peers.available("swaks"), "--server", g.address, "--from", "a@client.test", "--to",
            RECIPIENT, "--data", f"@{path}", "--helo", "client.test"]


def swaks_pipelined(g, path):
    return [*swaks(g, path), "--pipeline"]


def curl(g, path):
    return [peers.available("curl"), "-sS", f"smtp://{g.address}/client.test", "--mail-from",
            "a@client.test", "--mail-rcpt", RECIPIENT, "--upload-file", path, "--crlf"]


def msmtp(g, path):
    return ["sh", "-c", f"exec {peers.available('msmtp')} --host=127.0.0.1 --port={g.port} "
            f"--tls=off --auth=off --from=a@client.test --domain=client.test "
            f"--undisclosed-recipients=off --remove-bcc-headers=off {RECIPIENT} < {path}"]


@pytest.mark.parametrize("client", [swaks, swaks_pipelined, curl, msmtp])
def test_arrives_as_it_was_sent(relay, sink, tmp_path, content, client):
    path = str(tmp_path / "mail")
    with open(path, "wb") as f:
        f.write(content.replace(b"\r\n", b"\n"))
    done = subprocess.run(client(relay, path), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    message = sink.wait(1)[0]
    assert message.sender == "a@client.test" and message.recipients == [RECIPIENT]
    # swaks ends with an empty line of its own.
    assert godwit.without_trace(message.content).rstrip(b"\r\n") == content.rstrip(b"\r\n")
    godwit.wait_for(lambda: relay.queue() == [], "an empty queue")


def swaks_tls(port, implicit, path):
    return [peers.available("swaks"), "--server", f"127.0.0.1:{port}", "--from", "a@client.test",
            "--to", RECIPIENT, "--data", f"@{path}", "--helo", "client.test",
            "--tls-on-connect" if implicit else "--tls"]


def curl_tls(port, implicit, path):
    return [peers.available("curl"), "-sSk", "--ssl-reqd",
            f"smtp{'s' if implicit else ''}://127.0.0.1:{port}/client.test", "--mail-from",
            "a@client.test", "--mail-rcpt", RECIPIENT, "--upload-file", path, "--crlf"]


def msmtp_tls(port, implicit, path):
    starttls = "off" if implicit else "on"
    return ["sh", "-c", f"exec {peers.available('msmtp')} --host=127.0.0.1 --port={port} "
            f"--tls=on --tls-starttls={starttls} --tls-certcheck=off --auth=off "
            f"--from=a@client.test --domain=client.test --undisclosed-recipients=off "
            f"--remove-bcc-headers=off {RECIPIENT} < {path}"]


def smtplib_tls(port, implicit, path):
    program = """
import smtplib, ssl, sys
port, implicit, path, to = int(sys.argv[1]), sys.argv[2] == "1", sys.argv[3], sys.argv[4]
context = ssl._create_unverified_context()
client = smtplib.SMTP_SSL("127.0.0.1", port, context=context) if implicit else \\
    smtplib.SMTP("127.0.0.1", port)
client.ehlo("client.test")
if not implicit:
    client.starttls(context=context)
    client.ehlo("client.test")
content = open(path, "rb").read().replace(b"\\n", b"\\r\\n")
client.sendmail("a@client.test", to, content, mail_options=["BODY=8BITMIME"])
client.quit()
"""
    return ["/usr/bin/python3", "-c", program, str(port), str(int(implicit)), path, RECIPIENT]


@pytest.mark.parametrize("implicit", [False, True], ids=["starttls", "implicit"])
@pytest.mark.parametrize("client", [swaks_tls, curl_tls, msmtp_tls, smtplib_tls])
def test_arrives_over_tls_as_it_was_sent(sink, data, tmp_path, content, client, implicit):
    config = ("listen:\n  - { address: '127.0.0.1:0', tls: required }\n"
              "  - { address: '127.0.0.1:0', tls: implicit }\n")
    path = str(tmp_path / "mail")
    with open(path, "wb") as f:
        f.write(content.replace(b"\r\n", b"\n"))
    with godwit.Godwit(data, "--next-hop", sink.address, config=config, listen=()) as g:
        done = subprocess.run(client(g.ports[implicit], implicit, path), capture_output=True,
                              text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        message = sink.wait(1)[0]
        assert b" with ESMTPS (TLSv1.3)" in message.content
        assert godwit.without_trace(message.content).rstrip(b"\r\n") == content.rstrip(b"\r\n")


@pytest.mark.parametrize("size", [100, 100000, 3000000])
def test_smtplib(relay, sink, content, size):
    whole = content + (b"y" * 70 + b"\r\n") * (size // 72)
    with smtplib.SMTP("127.0.0.1", relay.port, timeout=60) as client:
        client.ehlo("client.test")
        refused = client.sendmail("a@client.test", [RECIPIENT, "bert@far.test"], whole,
                                  mail_options=["BODY=8BITMIME"])
        assert refused == {}
        client.sendmail("a@client.test", RECIPIENT, content)   # a second on the same connection
    first, second = sorted(sink.wait(2), key=lambda m: -len(m.content))
    assert godwit.without_trace(first.content) == whole
    assert sorted(first.recipients) == [RECIPIENT, "bert@far.test"]
    assert godwit.without_trace(second.content) == content


def test_curl_uses_utf8_addresses(sink, data, tmp_path):
    path = str(tmp_path / "mail")
    with open(path, "wb") as f:
        f.write("From: jürgen@client.test\nSubject: ü\n\nGruß\n".encode())
    with godwit.Godwit(data, "--next-hop", sink.address) as g:
        subprocess.run([peers.available("curl"), "-sS", f"smtp://{g.address}/client.test", "--crlf",
                        "--mail-from", "jürgen@client.test", "--mail-rcpt", "grüße@far.test",
                        "--upload-file", path], check=True, timeout=60)
        message = sink.wait(1)[0]
        assert message.recipients == ["grüße@far.test"]
        assert any("SMTPUTF8" in option for option in message.options)


def test_proxy_header_names_the_client(sink, data, content):
    config = ("listen: [{ address: '127.0.0.1:0', proxy: true }]\n"
              "proxy_from: ['127.0.0.0/8']\nrelay_clients: ['192.0.2.0/24', '2001:db8::/32']\n")
    v2 = b"\r\n\r\n\0\r\nQUIT\n"
    headers = {
        b"192.0.2.7": b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 25\r\n",
        b"IPv6:2001:db8::7": b"PROXY TCP6 2001:db8::7 2001:db8::1 4711 25\r\n",
        b"192.0.2.8": v2 + b"\x21\x11\0\x0c" + bytes([192, 0, 2, 8, 198, 51, 100, 1]) +
        b"\x12\x67\0\x19",
        b"IPv6:2001:db8::8": v2 + b"\x21\x21\0\x24" + bytes.fromhex(
            "20010db8000000000000000000000008" "20010db8000000000000000000000001") +
        b"\x12\x67\0\x19",
    }
    with godwit.Godwit(data, "--next-hop", sink.address, config=config, listen=()) as g:
        for count, (address, header) in enumerate(headers.items(), 1):
            with godwit.Client(g.port, greeting=False) as c:
                c.send(header)
                assert c.reply()[0] == 220
                assert c.message(content)[0] == 250
            message = sink.wait(count)[-1]
            assert b"Received: from client.test ([" + address + b"])" in message.content
        # Without a header, and with a broken one, nobody gets in.
        for bad in (b"EHLO x\r\n", b"PROXY TCP4 1.2.3 4 5 6\r\n", v2 + b"\x31\x11\0\0"):
            with godwit.Client(g.port, greeting=False) as c:
                c.send(bad)
                try:
                    assert c.reply()[0] >= 400
                except (EOFError, ConnectionResetError):
                    pass
                assert c.is_closed()


def test_proxy_header_of_a_stranger_is_not_believed(sink, data):
    config = "listen: [{ address: '127.0.0.1:0', proxy: true }]\nproxy_from: ['10.0.0.0/8']\n"
    with godwit.Godwit(data, "--next-hop", sink.address, config=config, listen=()) as g:
        with godwit.Client(g.port, greeting=False) as c:
            c.send(b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 25\r\n")
            assert c.reply()[0] in (220, 554)      # it spoke before it was greeted
            try:
                assert c.reply()[0] == 550
            except (EOFError, ConnectionResetError):
                pass
            assert c.is_closed()


def test_xclient_names_the_client(sink, data, content):
    config = "xclient_from: ['127.0.0.0/8']\nrelay_clients: ['192.0.2.0/24']\n"
    with godwit.Godwit(data, "--next-hop", sink.address, config=config) as g:
        with godwit.Client(g.port) as c:
            code, text = c.ask("EHLO front.test")
            assert code == 250 and "XCLIENT" in text
            assert c.code("XCLIENT ADDR=192.0.2.9 NAME=real.test HELO=real.test PROTO=ESMTP") == 220
            assert c.message(content)[0] == 250
        message = sink.wait(1)[0]
        assert b"192.0.2.9" in message.content.split(b"From: Anna")[0]
        with godwit.Client(g.port) as c:      # the relay is decided by the client's address
            assert c.code("EHLO front.test") == 250
            assert c.code("XCLIENT ADDR=198.51.100.9") == 220
            assert c.code("EHLO x") == 250
            assert c.code("MAIL FROM:<a@b.test>") == 250
            assert c.code("RCPT TO:<c@far.test>") in (550, 554)
