"""Links that are asked whether they are alive: only where --egress lets them, hop by hop."""
import http.server
import threading

import pytest

import box


class Site:
    """Pages by path; what was asked, in order."""

    def __init__(self):
        self.asked = []
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self):
                site.asked.append((self.command, self.path))
                status = int(self.path.split("/")[1].split("?")[0])
                if status == 405:  # HEAD is refused, GET is not
                    status = 405 if self.command == "HEAD" else 200
                self.send_response(status)
                if status in (301, 302):
                    self.send_header("Location", self.path[4:])
                body = b"x" * (200 * 1024 if "large" in self.path else 2)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    try:
                        self.wfile.write(body)
                    except OSError:
                        pass

            do_GET = do_HEAD = answer

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def site():
    s = Site()
    yield s
    s.close()


@pytest.fixture(scope="module")
def near():
    with box.Sandbox("--egress", "loopback") as s:
        yield s


def message(sandbox, key, *urls):
    inbox = sandbox.own("POST", "/inboxes", {}, key=key)
    sandbox.deliver(box.mail("links", "\n\n".join(urls)), to=(inbox["address"],))
    return inbox["id"], sandbox.wait(key=key, inbox=inbox["id"])["message"]["id"]


def test_alive_and_dead(near, site, key):
    urls = [site.url + path for path in ("/200/a", "/404/b", "/500/c", "/405/d", "/301/200/e", "/405/large")]
    _, id = message(near, key, *urls, "http://127.0.0.1:1/closed", "http://192.0.2.1/far", "mailto:a@a.test", urls[0])
    said = near.own("GET", f"/messages/{id}/link-check", key=key)
    links = {link["url"]: link for link in said["links"]}
    assert said["checked"] == 8 and said["dead"] == 4
    assert [links[u]["status"] for u in urls] == [200, 404, 500, 200, 301, 200]
    assert [links[u]["alive"] for u in urls] == [True, False, False, True, True, True]
    assert links[urls[4]]["location"] == site.url + "/200/e" and "reached" not in links[urls[4]]
    assert links["http://127.0.0.1:1/closed"]["status"] == 0 and links["http://127.0.0.1:1/closed"]["trouble"]
    assert "not to be connected to" in links["http://192.0.2.1/far"]["trouble"]
    assert ("GET", "/404/b") in site.asked and ("GET", "/200/a") not in site.asked and ("HEAD", "/200/e") not in site.asked


def test_redirects_are_followed_where_asked_and_judged_anew(near, site, key):
    inside, outside, loop = (site.url + p for p in ("/302/301/200/end", "/302//169.254.169.254/latest", "/302/302/302"))
    _, id = message(near, key, inside, outside)
    said = near.own("GET", f"/messages/{id}/link-check?follow=true", key=key)
    links = {link["url"]: link for link in said["links"]}
    assert links[inside]["status"] == 200 and links[inside]["reached"] == site.url + "/200/end"
    assert links[outside]["alive"] is False and "not to be connected to" in links[outside]["trouble"]


def test_a_redirect_without_end_ends(near, key):
    class Loop(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_response(302)
            self.send_header("Location", self.path + "x")
            self.end_headers()

        def log_message(self, *_):
            pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Loop)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        _, id = message(near, key, f"http://127.0.0.1:{server.server_port}/")
        said = near.own("GET", f"/messages/{id}/link-check?follow=true", key=key)
        assert said["links"][0]["status"] == 302 and said["links"][0]["reached"].endswith("/" + "x" * 10)
    finally:
        server.shutdown()
        server.server_close()


def test_many(near, site, key):
    _, id = message(near, key, *[f"{site.url}/200/{n}" for n in range(300)])
    said = near.own("GET", f"/messages/{id}/link-check", key=key)
    assert said["checked"] == 200 and said["dead"] == 0


def test_who_goes_away_meanwhile_breaks_nothing(near, site, key):
    import socket
    _, id = message(near, key, *[f"{site.url}/200/{n}" for n in range(100)])
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", near.http)) as s:
            s.sendall(f"GET {box.OWN}/messages/{id}/link-check HTTP/1.1\r\nHost: localhost\r\nx-api-key: {key}\r\n\r\n".encode())
    assert near.own("GET", f"/messages/{id}/link-check", key=key)["dead"] == 0


def test_off_unless_said(site):
    with box.Sandbox() as s:
        _, id = message(s, None, site.url + "/200/a")
        answer = s.ask("GET", f"{box.OWN}/messages/{id}/link-check")
        assert answer.status == 403 and "--egress" in answer.json["message"]
        pit = s.ask("GET", f"/api/v1/message/{id}/link-check").json
        assert pit["Errors"] == 0 and pit["Links"][0]["StatusCode"] == 0 and "not checked" in pit["Links"][0]["Status"]
    assert site.asked == []


def test_mailpits(near, site):
    _, id = message(near, None, site.url + "/200/a", site.url + "/404/b", site.url + "/302/200/c")
    said = near.ask("GET", f"/api/v1/message/{id}/link-check?follow=true").json
    assert said["Errors"] == 1
    assert {link["URL"][len(site.url):]: link["StatusCode"] for link in said["Links"]} == {
        "/200/a": 200, "/404/b": 404, "/302/200/c": 200}


def test_expected_to_be_alive(near, site, key):
    inbox, _ = message(near, key, site.url + "/200/a", site.url + "/404/b", "https://else.test/x")
    def expect(**links):
        return near.ask("POST", f"{box.OWN}/assert", {"inbox": inbox, "links": links}, key=key)
    answer = expect(alive=["127.0.0.1"])
    assert answer.status == 422
    failed = [c for c in answer.json["checks"] if not c["pass"]]
    assert [c["check"] for c in failed] == ["links.alive"] and [x["status"] for x in failed[0]["got"]] == [404]
    assert ("HEAD", "/x") not in site.asked
    assert expect(alive=["app.test"]).status == 200, "no link is of that host"
    good, _ = message(near, key + "2", site.url + "/200/a")
    assert near.ask("POST", f"{box.OWN}/assert", {"inbox": good, "links": {"alive": ["127.0.0.1"]}}, key=key + "2").status == 200
