"""``fault``: a running reference engine is broken, asked, and healthy again."""

from __future__ import annotations

import json
import socket

import pytest
from ai_engine_lab.engine.faults import FAULTS
from dripping import Dripping
from services import serving_demo


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    """Run ``demo --serve`` with a fault from its start; return where it serves."""
    faults = ("--fault", "quiet_agent:1h", "--fault", "jitter:1h@1h")
    with serving_demo(tmp_path_factory.mktemp("engine"), *faults) as serving:
        yield serving.split()[1].removesuffix("/metrics")


def active(run, url):
    """Return the faults that are on, and the seconds that they have left."""
    done = run("fault", "--list", "--json", "--url", url)
    assert done.exit_code == 0, done.output
    faults = json.loads(done.stdout)["faults"]
    return {fault["name"]: fault["seconds_left"] for fault in faults if fault["active"]}


def test_a_fault_is_on_from_the_start(run, url):
    """What `demo --fault` was told is on once it serves; what is for later is not."""
    assert active(run, url).keys() == {"quiet_agent"}


def test_a_fault_is_injected_for_a_time_and_taken_back(run, url):
    """With --for it says how long it is on; --clear takes back the one that is named."""
    done = run("fault", "slow-provider", "--for", "3m", "--url", url)
    assert done.exit_code == 0
    assert "slow_provider: Every answer takes" in done.output
    assert "s left)" in done.output
    assert 170 < active(run, url)["slow_provider"] <= 180
    assert run("fault", "slow_provider", "--clear", "--url", url).exit_code == 0
    assert "slow_provider" not in active(run, url)


def test_a_fault_without_a_time_stays_until_all_are_cleared(run, url):
    """Without --for nothing ends it; --clear alone takes all of them back, and says so."""
    run("fault", "byte_swapped", "--url", url)
    assert active(run, url)["byte_swapped"] is None
    done = run("fault", "--clear", "--url", url)
    assert (done.exit_code, done.output) == (0, "No fault is on.\n")
    assert active(run, url) == {}


def test_a_fault_that_is_on_already_is_marked_and_gets_the_new_time(run, url):
    """Injected again it starts anew; the line says that it was on, and another one's doesn't."""
    first = run("fault", "slow-provider", "--for", "3m", "--url", url)
    other = run("fault", "byte-swapped", "--for", "3m", "--url", url)
    again = run("fault", "slow-provider", "--for", "10m", "--url", url)
    assert "already" not in first.output + other.output
    (marked,) = [line for line in again.output.splitlines() if "was on already" in line]
    assert marked.startswith("slow_provider: ")
    assert 590 < active(run, url)["slow_provider"] <= 600
    run("fault", "--clear", "--url", url)


def test_the_list_has_every_fault_and_its_state(run, url):
    """The list is for people: names, what they do, the factor, and whether they are on."""
    done = run("fault", "--list", "--url", url)
    for text in ("low_vad_confidence", "barge_in", "none", "off", "what it does"):
        assert text in done.output


def test_the_list_fits_eighty_columns(run, url, monkeypatch):
    """On a narrow terminal nothing is cut: each fault is there by its whole name."""
    monkeypatch.setenv("COLUMNS", "80")
    lines = run("fault", "--list", "--url", url).output.splitlines()
    assert max(map(len, lines)) <= 80
    assert [name for name in FAULTS if not any(line.startswith(name) for line in lines)] == []
    assert "\N{HORIZONTAL ELLIPSIS}" not in "".join(lines)


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["nonsense"], 1, "choose one of slow_provider"),
        (["jitter", "--clear"], 1, "jitter is not on"),
        (["engine_stop"], 1, "engine_stop needs a duration"),
        (["../metrics", "--clear"], 1, "choose one of"),
        (["jitter", "--for", "soon"], 2, "write 90s, 3m or 1h"),
        (["jitter", "--for", "-1"], 2, "write 90s, 3m or 1h"),
        ([], 2, "--list shows them"),
        (["--list", "--clear"], 2, "--clear goes with a NAME"),
        (["jitter", "--list"], 2, "--list goes alone"),
        (["jitter", "--url", "ftp://127.0.0.1"], 2, "no http URL"),
        (["jitter", "--url", "http://127.0.0.1:port"], 2, "no http URL"),
    ],
)
def test_an_error_names_the_mend(run, url, arguments, code, told):
    """What the engine refuses is exit code 1, wrong use is 2; each says what to do instead."""
    where = [] if "--url" in arguments else ["--url", url]
    done = run("fault", *arguments, *where)
    assert done.exit_code == code, done.output
    assert told in done.output.replace("\n", " ")


def test_no_engine_is_an_error_that_says_how_to_start_one(run):
    """Where nothing listens, it says which command starts an engine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        done = run("fault", "jitter", "--url", f"http://127.0.0.1:{probe.getsockname()[1]}")
    assert done.exit_code == 1
    assert "demo --serve" in done.output
    assert "Traceback" not in done.output


@pytest.mark.parametrize("first", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: ", b""])
def test_who_drips_in_the_engines_place_is_given_up(run, monkeypatch, first):
    """In the body, the headers or the first line: an error, after a while, and no traceback."""
    monkeypatch.setattr("ai_engine_lab.cli.fault.TOTAL_SECONDS", 0.5)
    server = Dripping(first)
    try:
        done = run("fault", "--list", "--url", server.url)
    finally:
        server.close()
    assert done.exit_code == 1
    assert server.url in done.output
    assert "Traceback" not in done.output
