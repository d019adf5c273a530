"""How many wait for each destination, and that nothing is where it must not be."""
import json

from godwit import Client, Godwit, wait_for


def shape(g, *more):
    done = g.tool("queue", "shape", "--data", g.data, *more)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_queue_by_destination_and_age(data):
    with Godwit(data, "--hold") as g:
        for n in range(30):
            with Client(g.port) as c:
                assert c.message(b"Subject: x\r\n\r\nhi\r\n",
                                 recipients=[f"a@d{n}.test", "b@most.test"])[0] == 250
        rows = wait_for(lambda: (lambda r: r if r[0]["recipients"] == 60 else None)(
            [json.loads(line) for line in shape(g, "--json").splitlines()]), "all of it")
        assert len(rows) == 21                         # the total, and 20 rows
        assert rows[0]["name"] is None and rows[0]["ages"][0] == 60 and rows[0]["held"] == 60
        assert rows[1]["name"] == "most.test" and rows[1]["recipients"] == 30
        few = shape(g, "--limit", "3")
        assert "TOTAL" in few and "most.test" in few and "(28 more rows: --limit)" in few
        sites = shape(g, "--by", "site", "--json").splitlines()
        assert json.loads(sites[1])["name"] == "?"     # held: nobody has looked them up
        assert g.tool("queue", "shape", "--by", "x", "--data", data).returncode == 64
        status = json.loads(g.tool("status", "--json", "--data", data).stdout)
        assert status["alarms"] == 0 and status["events"] >= 30 and status["events_lost"] == 0
