"""The HTTP client against servers that answer well, badly and never: HOSTILE 123, 129."""
import os
import subprocess

import pytest

import certificates
import godwit
from policy_host import PolicyHost, answer, drip, flood

PROBE = os.path.join(godwit.TOP, "build", "probe_http_get")
NAME = "mta-sts.far.test"


@pytest.fixture
def pair(tmp_path):
    return certificates.make(tmp_path, NAME)


def get(server, ca, *addresses, name=NAME, scheme="https", path="/x", **more):
    environment = {**os.environ, "GET_OPEN": "1", **{k: str(v) for k, v in more.items()}}
    environment = {k: v for k, v in environment.items() if v != "None"}
    done = subprocess.run([PROBE, ca, f"{scheme}://{name}:{server.port}{path}",
                           *(addresses or ["127.0.0.1"])],
                          capture_output=True, text=True, timeout=60, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.rstrip("\n")


def test_an_answer_and_what_was_asked(pair):
    with PolicyHost(pair, answer(b"hello", kind=b"text/plain; charset=utf-8")) as server:
        assert get(server, pair[0]) == "answered 200 'text/plain; charset=utf-8' 5 "
        head = server.requests[0]
        assert head.startswith(b"GET /x HTTP/1.1\r\n")
        assert f"Host: {NAME}:{server.port}\r\n".encode() in head
        assert b"X-Probe: yes\r\n" in head and b"Accept-Encoding" not in head


def test_a_body_makes_it_a_post(pair):
    with PolicyHost(pair, answer(b"ok")) as server:
        assert get(server, pair[0], GET_BODY="a=b").startswith("answered 200")
        assert server.requests[0].startswith(b"POST /x HTTP/1.1\r\n")
        assert b"Content-Length: 3\r\n" in server.requests[0]


@pytest.mark.parametrize("status", [b"404 Not Found", b"500 Oh", b"204 Nothing"])
def test_any_status_is_an_answer(pair, status):
    with PolicyHost(pair, answer(b"", status, None)) as server:
        assert get(server, pair[0]) == f"answered {status[:3].decode()} '' 0 "


@pytest.mark.parametrize("target", ["https://127.0.0.1:{port}/y", "http://169.254.169.254/",
                                    "file:///etc/passwd", "/y"])
def test_129_a_redirect_is_not_followed(pair, target):
    to = b"Location: %s\r\n"
    with PolicyHost(pair, b"") as server:
        server.reply = answer(b"", b"302 Found", None, to % target.format(port=server.port).encode())
        assert get(server, pair[0]) == "answered 302 '' 0 "
        assert len(server.requests) == 1


@pytest.mark.parametrize("reply", [answer(b"x" * 101), flood,
                                   b"HTTP/1.1 200 OK\r\n" + b"X: yyyyyyyyyyyyyyyyyyyyyyyyyy\r\n" * 5000],
                         ids=["length", "flood", "header"])
def test_123_what_is_too_large_ends_it(pair, reply):
    with PolicyHost(pair, reply) as server:
        assert get(server, pair[0], GET_MAX=100) == "too large 200 '' 0 the answer is too large"


def test_as_large_as_it_may_be(pair):
    with PolicyHost(pair, answer(b"x" * 100)) as server:
        assert get(server, pair[0], GET_MAX=100).startswith("answered 200 'text/plain' 100")


@pytest.mark.parametrize("reply", [drip, lambda connection: connection.recv(1)])
def test_123_what_is_slow_has_an_end(pair, reply):
    with PolicyHost(pair, reply) as server:
        assert get(server, pair[0], GET_MS=300) == "timeout 0 '' 0 it took too long"


def test_a_body_that_is_cut_short(pair):
    with PolicyHost(pair, answer(b"hello")[:-2]) as server:
        assert get(server, pair[0]).startswith("unreachable 0 '' 0 ")


def test_nonsense(pair):
    with PolicyHost(pair, b"\x00\xffnothing\r\n\r\n") as server:
        assert get(server, pair[0]).startswith("unreachable 0 '' 0 ")


@pytest.mark.parametrize("names, more", [
    (["other.test"], {}), ([NAME], {"days": -1}), ([NAME], {"begins": 5}),
    (["*.test"], {}), (["f*.far.test"], {})])
def test_124_a_certificate_that_is_no_good(tmp_path, names, more):
    pair = certificates.make(tmp_path, *names, stem="bad", **more)
    with PolicyHost(pair, answer(b"hello")) as server:
        assert get(server, pair[0]).startswith("untrusted 0 '' 0 ")
        assert server.requests == []


def test_124_an_issuer_that_nobody_knows(tmp_path, pair):
    other = certificates.make(tmp_path, "other.test")
    with PolicyHost(pair, answer(b"hello")) as server:
        assert get(server, other[0]).startswith("untrusted 0 '' 0 ")
        assert get(server, "/nowhere").startswith("untrusted 0 '' 0 ")


def test_124_a_common_name_is_no_name(tmp_path):
    pair = certificates.make(tmp_path, NAME, stem="cn", names=())
    with PolicyHost(pair, answer(b"hello")) as server:
        assert get(server, pair[0]).startswith("untrusted 0 '' 0 ")


def test_a_name_of_one_star(tmp_path):
    pair = certificates.make(tmp_path, "*.far.test", stem="star")
    with PolicyHost(pair, answer(b"hello")) as server:
        assert get(server, pair[0]).startswith("answered 200")


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1",
                                     "10.0.0.1", "169.254.169.254", "0.0.0.0"])
def test_129_addresses_that_are_not_connected_to(pair, address):
    with PolicyHost(pair, answer(b"hello")) as server:
        said = get(server, pair[0], address, GET_OPEN=None)
        assert said == "refused 0 '' 0 the host's addresses are not to be connected to"
        assert server.requests == []


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "0177.0.0.1", "2130706433"])
def test_129_names_that_are_addresses_lead_nowhere_else(pair, name):
    """The URL may say what it likes: the addresses are those that were given."""
    with PolicyHost(pair, answer(b"hello")) as server:
        said = get(server, pair[0], "192.0.2.1", name=name, GET_OPEN=None, GET_MS=300)
        assert said.split()[0] in ("refused", "timeout", "unreachable"), said
        assert server.requests == []


def test_no_address(pair):
    with PolicyHost(pair, answer(b"hello")) as server:
        assert get(server, pair[0], "nothing") == "refused 0 '' 0 the host has no address"


@pytest.mark.parametrize("scheme", ["http", "ftp", "file", "gopher"])
def test_129_other_schemes(pair, scheme):
    with PolicyHost(None, answer(b"hello")) as server:
        assert get(server, pair[0], scheme=scheme).startswith("invalid 0 '' 0 ")
        assert server.requests == []


def test_clear_where_it_is_allowed(pair):
    with PolicyHost(None, answer(b"hello")) as server:
        assert get(server, pair[0], scheme="http", GET_CLEAR=1).startswith("answered 200")


def test_the_environment_names_no_proxy(pair):
    with PolicyHost(pair, answer(b"hello")) as server:
        assert get(server, pair[0], https_proxy="http://127.0.0.1:1",
                   ALL_PROXY="http://127.0.0.1:1").startswith("answered 200")
