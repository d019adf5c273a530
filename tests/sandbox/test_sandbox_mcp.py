"""The Model Context Protocol as it goes over the wire: what its own client (tests/clients/mcp.js)
does not say."""
import json
import smtplib

import pytest

import box


def rpc(sandbox, key, method, parameters=None, id_=1, **headers):
    body = {"jsonrpc": "2.0", "id": id_, "method": method}
    if parameters is not None:
        body["params"] = parameters
    return sandbox.ask("POST", "/mcp", json.dumps(body).encode(),
                       headers={"x-api-key": key, **headers})


def call(sandbox, key, tool, **arguments):
    answer = rpc(sandbox, key, "tools/call", {"name": tool, "arguments": arguments})
    assert answer.status == 200
    return answer.json["result"]


def made(sandbox, key, tool, **arguments):
    result = call(sandbox, key, tool, **arguments)
    assert result["isError"] is False, result
    return result["structuredContent"]


def why(sandbox, key, tool, **arguments):
    result = call(sandbox, key, tool, **arguments)
    assert result["isError"] is True, result
    return result["content"][0]["text"]


@pytest.mark.parametrize("asked,told", [("2025-06-18", "2025-06-18"), ("2024-11-05", "2024-11-05"),
                                        ("2099-01-01", "2025-06-18")])
def test_the_revision_is_agreed_on(sandbox, key, asked, told):
    answer = rpc(sandbox, key, "initialize", {"protocolVersion": asked, "capabilities": {},
                                              "clientInfo": {"name": "t", "version": "1"}}, id_="a")
    assert answer.json["id"] == "a"
    assert answer.json["result"]["protocolVersion"] == told


def test_a_notification_is_not_answered(sandbox, key):
    said = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    answer = sandbox.ask("POST", "/mcp", json.dumps(said).encode(), headers={"x-api-key": key})
    assert (answer.status, answer.body) == (202, b"")


@pytest.mark.parametrize("body,code", [
    (b"", -32700), (b"{", -32700), (b"[]", -32700), (b'"text"', -32700), (b"[" * 100000, -32700),
    (b"{}", -32600), (b'{"jsonrpc":"1.0","id":1,"method":"ping"}', -32600),
    (b'{"jsonrpc":"2.0","id":{},"method":"ping"}', -32600),
    (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600),
    (b'{"jsonrpc":"2.0","id":1,"method":5}', -32600),
    (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}', -32600),
    (b'{"jsonrpc":"2.0","id":1,"method":"resources/list"}', -32601),
    (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"rm"}}', -32602),
    (b'{"jsonrpc":"2.0","id":1,"method":"tools/call"}', -32602),
    (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_inboxes","arguments":[]}}',
     -32602),
], ids=lambda b: str(b)[:40])
def test_what_is_no_request_is_told_so(sandbox, key, body, code):
    answer = sandbox.ask("POST", "/mcp", body, headers={"x-api-key": key})
    assert answer.json["error"]["code"] == code
    assert answer.status == (400 if code in (-32700, -32600) else 200)


def test_an_unknown_revision_in_the_header_is_refused(sandbox, key):
    assert rpc(sandbox, key, "ping", **{"MCP-Protocol-Version": "1999-01-01"}).status == 400
    assert rpc(sandbox, key, "ping", **{"MCP-Protocol-Version": "2025-03-26"}).status == 200


def test_there_is_no_stream_to_open(sandbox, key):
    assert sandbox.ask("GET", "/mcp", headers={"x-api-key": key}).status == 405
    assert sandbox.ask("DELETE", "/mcp", headers={"x-api-key": key}).status == 405


def test_a_page_of_another_site_cannot_call(sandbox, key):
    answer = rpc(sandbox, key, "tools/list", Origin="https://evil.example")
    assert answer.status == 403


def test_every_schema_is_one_that_its_tool_keeps(sandbox, key):
    for tool in rpc(sandbox, key, "tools/list").json["result"]["tools"]:
        schema = tool["inputSchema"]
        assert schema["additionalProperties"] is False
        for name, about in schema["properties"].items():
            wrong = {"string": 5, "integer": "five", "boolean": "yes"}[about["type"]]
            assert name in why(sandbox, key, tool["name"], **{name: wrong})
            if "maximum" in about:
                assert name in why(sandbox, key, tool["name"], **{name: about["maximum"] * 2})
                assert name in why(sandbox, key, tool["name"], **{name: -1})
        for name in schema["required"]:
            assert why(sandbox, key, tool["name"]) == f"{name} is needed"
        assert "no such argument" in why(sandbox, key, tool["name"], colour="red")


def test_workspaces_do_not_see_each_other(sandbox, key):
    inbox = made(sandbox, key, "create_inbox")
    assert [i["id"] for i in made(sandbox, key, "list_inboxes")["inboxes"]] == [inbox["id"]]
    assert made(sandbox, key + "2", "list_inboxes")["inboxes"] == []
    assert why(sandbox, key + "2", "wait_for_code", inbox=inbox["id"]) == "no such inbox"
    assert why(sandbox, key + "2", "delete_inbox", inbox=inbox["id"]) == "no such inbox"
    assert made(sandbox, key, "delete_inbox", inbox=inbox["id"]) == {"deleted": True}


def test_a_search_that_cannot_be_read_says_why(sandbox, key):
    assert "date" in why(sandbox, key, "wait_for_message", search="after:soon")
    assert "date" in why(sandbox, key, "list_messages", search="after:soon")


def test_long_text_is_cut_between_characters(sandbox, key):
    inbox = made(sandbox, key, "create_inbox")
    sandbox.deliver(box.mail("long", "€" * 300), to=[inbox["address"]])
    message = made(sandbox, key, "wait_for_message", inbox=inbox["id"])
    assert message["text"].startswith("€" * 300) and "cut" not in message
    short = made(sandbox, key, "get_message", id=message["id"], max_bytes=100)
    assert short["text"] == "€" * 33 and short["cut"] is True


def test_what_was_waited_for_may_be_older_than_a_thousand_others(sandbox, key):
    """A wait looked at the thousand oldest messages alone."""
    inbox = made(sandbox, key, "create_inbox")
    with smtplib.SMTP("127.0.0.1", sandbox.smtp, timeout=30) as client:
        for subject in ["other"] * 1010 + ["wanted"]:
            client.sendmail("a@b.test", [inbox["address"]], f"Subject: {subject}\r\n\r\nx\r\n")
    assert made(sandbox, key, "wait_for_message", inbox=inbox["id"], search="subject:wanted")
    late = made(sandbox, key, "wait_for_message", inbox=inbox["id"], subject="wanted",
                timeout_seconds=0)
    assert late["subject"] == "wanted"
