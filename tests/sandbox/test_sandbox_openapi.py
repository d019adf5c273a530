"""The OpenAPI document, against the routes in the code and what they answer."""
import json
import os
import re

import jsonschema
import pytest

import box
import godwit

NAMES = re.compile(r"{[^}]*}")


@pytest.fixture(scope="module")
def document(sandbox):
    return sandbox.own("GET", "/openapi.json")


def routes_of_the_code():
    folder = os.path.join(godwit.TOP, "src", "api")
    for name in sorted(os.listdir(folder)):
        if name.endswith(".c"):
            with open(os.path.join(folder, name)) as f:
                for method, path in re.findall(r'{ API_(\w+), BASE "([^"]*)"', f.read()):
                    yield method.lower(), path


def test_the_document_has_the_routes_of_the_code(document):
    told = {(method, NAMES.sub("*", path)) for path, methods in document["paths"].items()
            for method in methods}
    assert told == set(routes_of_the_code())


def test_the_document_is_one(document):
    schemas = document["components"]["schemas"]
    for schema in schemas.values():
        jsonschema.Draft202012Validator.check_schema(schema)
    for name in re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)):
        assert name in schemas
    operations = [o["operationId"] for methods in document["paths"].values() for o in methods.values()]
    assert len(operations) == len(set(operations))
    for path, methods in document["paths"].items():
        for operation in methods.values():
            in_path = {p["name"] for p in operation.get("parameters", []) if p["in"] == "path"}
            assert in_path == set(re.findall(r"{(\w+)}", path))


def check(document, path, method, answer):
    told = document["paths"][path][method]["responses"][str(answer.status)]["content"]
    assert answer.headers.get_content_type() in told
    if "application/json" in told:
        schema = {**told["application/json"]["schema"], "components": document["components"]}
        jsonschema.Draft202012Validator(schema).validate(answer.json)
    return answer


def test_what_is_answered_is_as_it_says(sandbox, document, key):
    def ask(method, path, body=None, query="", **names):
        where = path.format(**names) + query
        return check(document, path, method, sandbox.ask(method.upper(), box.OWN + where, body, key=key))

    wish = {"ttl": "10m", "tags": ["a"], "patterns": ["*@run7.test"], "quota": 5}
    jsonschema.validate(wish, document["components"]["schemas"]["InboxWish"])
    inbox = ask("post", "/inboxes", wish).json
    ask("post", "/inboxes")
    sandbox.deliver(box.mail("Your code", "Your code is 482913: {{name}}", List_Unsubscribe="<https://a.test/u>",
                             html='<a href="https://a.test/verify?t=1">Verify</a>',
                             files=[("a.txt", "text/plain", b"hi")]), to=[inbox["address"]])
    sandbox.deliver(b"no header at all\r\n", to=[inbox["address"]], sender="")
    found = ask("get", "/wait", query="?count=2").json
    ask("get", "/wait", query="?subject=never&timeout=1ms")
    ask("get", "/wait", query="?none=1ms")
    ask("get", "/wait", query="?timeout=soon")
    ask("get", "/wait", query="?inbox=nobody")
    ask("post", "/wait", {"match": {"subject": {"equals": "Your code"}}})
    message = next(m for m in found["messages"] if m["subject"] == "Your code")["id"]
    ask("get", "/messages")
    ask("get", "/messages", query="?search=after:soon")
    ask("get", "/messages/{message}", message=message)
    ask("get", "/messages/{message}", message="none")
    ask("patch", "/messages/{message}", {"read": True, "tags": ["x"]}, message=message)
    for what in ("raw", "codes", "links", "leaks"):
        ask("get", "/messages/{message}/" + what, message=message)
    zone = {"a.test": {"TXT": ["v=spf1 -all"], "MX": [[10, "mx.a.test"]]}, "broken.test": "SERVFAIL"}
    ask("put", "/dns", {"zone": zone})
    ask("put", "/dns", {"zone": {"a.test": 1}})
    ask("patch", "/dns", {"zone": {"broken.test": None}})
    ask("patch", "/dns", {"zone": {"a.test": "REFUSED"}})
    ask("get", "/dns")
    for what in ("auth", "lint"):
        ask("get", "/messages/{message}/" + what, message=message, query="?client=192.0.2.1&sender=a@a.test")
        ask("get", "/messages/{message}/" + what, message=message, query="?client=nobody")
        ask("get", "/messages/{message}/" + what, message="none")
    ask("delete", "/dns")
    ask("get", "/messages/{message}/select", message=message, query="?selector=a")
    ask("get", "/messages/{message}/select", message=message, query="?selector=a[[")
    ask("get", "/messages/{message}/parts/{part}", message=message, part="2")
    ask("post", "/assert", {"subject": "Your code", "search": "subject:code", "code": True})
    ask("post", "/assert", {"subject": "Other", "timeout": "1ms"})
    ask("post", "/assert", {"colour": "red"})
    fault = {"step": "rcpt", "when": {"recipient": ["x@*"]}, "times": 2, "then": {"reply": "451 Later"}}
    fault = ask("post", "/faults", fault).json
    ask("post", "/faults", {"step": "never"})
    ask("get", "/faults")
    ask("get", "/faults/{fault}", fault=fault["id"])
    ask("delete", "/faults/{fault}", fault=fault["id"])
    ask("delete", "/faults/{fault}", fault=fault["id"])
    ask("delete", "/faults")
    sessions = ask("get", "/sessions").json["sessions"]
    for session in sessions:
        ask("get", "/sessions/{session}", session=session["id"])
    ask("get", "/sessions/{session}", session=0)
    ask("get", "/info")
    ask("get", "/openapi.json")
    ask("get", "/inboxes")
    ask("get", "/inboxes/{inbox}", inbox=inbox["id"])
    ask("patch", "/inboxes/{inbox}", {"name": "n"}, inbox=inbox["id"])
    ask("delete", "/messages/{message}", message=message)
    ask("delete", "/messages", query="?search=nothing")
    ask("delete", "/inboxes/{inbox}/messages", inbox=inbox["id"])
    ask("delete", "/inboxes/{inbox}", inbox=inbox["id"])
    ask("delete", "/inboxes/{inbox}", inbox=inbox["id"])
    ask("post", "/reset")


def test_webhooks_are_as_it_says(document):
    with box.Sandbox("--egress", "loopback") as sandbox:
        def ask(method, path, body=None, query="", **names):
            return check(document, path, method, sandbox.ask(method.upper(), box.OWN + path.format(**names) + query, body))

        wish = {"url": "http://127.0.0.1:1/", "tries": 1, "match": {"subject": "x"}, "headers": {"X-A": "b"}, "name": "n"}
        schema = {**document["components"]["schemas"]["WebhookWish"], "components": document["components"]}
        jsonschema.validate(wish, schema)
        hook = ask("post", "/webhooks", wish).json["id"]
        ask("post", "/webhooks", {"url": "none"})
        ask("get", "/webhooks")
        for id in (hook, "none"):
            ask("get", "/webhooks/{webhook}", webhook=id)
            ask("patch", "/webhooks/{webhook}", {"paused": False}, webhook=id)
            ask("post", "/webhooks/{webhook}/test", webhook=id)
            ask("get", "/webhooks/{webhook}/wait", webhook=id, query="?state=dead")
            ask("get", "/webhooks/{webhook}/deliveries", webhook=id)
            ask("post", "/webhooks/{webhook}/redrive", webhook=id)
        ask("get", "/webhooks/{webhook}/wait", webhook=hook, query="?timeout=1ms&count=9")
        ask("get", "/webhooks/{webhook}/wait", webhook=hook, query="?state=else")
        ask("get", "/webhooks/{webhook}/deliveries", webhook=hook, query="?state=else")
        ask("get", "/deliveries", query="?state=else")
        one = ask("get", "/deliveries").json["deliveries"][0]["id"]
        for id in (one, "none"):
            ask("get", "/deliveries/{delivery}", delivery=id)
        ask("get", "/webhooks/{webhook}/wait", webhook=hook, query="?state=dead")
        for id in (one, "none"):
            ask("post", "/deliveries/{delivery}/redrive", delivery=id)
        id = sandbox.deliver(box.mail("links", "http://127.0.0.1:1/x\n\nhttp://192.0.2.1/y"))
        sandbox.wait(search="subject:links")
        for message in (id, "none"):
            ask("get", "/messages/{message}/link-check", message=message, query="?follow=true")
        ask("get", "/messages/{message}/link-check", message=id, query="?depth=3")
        ask("delete", "/webhooks/{webhook}", webhook=hook)
        ask("delete", "/webhooks/{webhook}", webhook=hook)
    with box.Sandbox() as sandbox:
        check(document, "/webhooks", "post", sandbox.ask("POST", box.OWN + "/webhooks", wish))


def test_a_release_is_as_it_says(document):
    with box.Sandbox() as outside, box.Sandbox("--relay", f"127.0.0.1:{outside.smtp}", "--release-to", "*@a.test") as sandbox:
        id = sandbox.deliver(box.mail("release"))
        sandbox.wait(search="subject:release")
        for message, to in ((id, ["a@a.test"]), ("none", ["a@a.test"]), (id, ["a@b.test"])):
            answer = sandbox.ask("POST", f"{box.OWN}/messages/{message}/release", {"to": to})
            check(document, "/messages/{message}/release", "post", answer)
        answer = outside.ask("POST", f"{box.OWN}/messages/{id}/release", {"to": ["a@a.test"]})
        check(document, "/messages/{message}/release", "post", answer)
        check(document, "/info", "get", sandbox.ask("GET", box.OWN + "/info"))
