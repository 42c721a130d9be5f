"""``listen``: a webhook for Alertmanager that prints what it is told."""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request

import pytest

pytestmark = pytest.mark.slow

ALERT = {
    "status": "firing",
    "labels": {
        "alertname": "HighTurnResponseLatency",
        "severity": "warning",
        "provider": "deepgram",
        "instance": "127.0.0.1:15000",
    },
    "annotations": {"summary": "Answers are slow", "runbook_url": "docs/Runbook.md#x"},
}


class Listener:
    """The command, as a process."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ai_engine_quality", "listen", "--port", "0", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        self.url = re.search(r"http://\S+", self.process.stderr.readline())[0]

    def post(self, body, path="/alerts"):
        request = urllib.request.Request(self.url + path, data=body)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        out, _ = self.process.communicate(timeout=20)
        return self.process.returncode, out


@pytest.fixture
def listener(request):
    """Return the command, listening."""
    running = Listener(*getattr(request, "param", ()))
    yield running
    running.process.kill()
    running.process.communicate()


def told(*alerts):
    return json.dumps({"version": "4", "alerts": alerts}).encode()


def test_an_alert_is_printed_with_what_an_operator_needs(listener):
    """Name, severity, place, summary and runbook, on any path; interrupted, it ends well."""
    assert listener.post(told(ALERT)) == 200
    assert listener.post(told({**ALERT, "status": "resolved"}), "/watchdog") == 200
    code, out = listener.stop()
    assert code == 0
    lines = out.splitlines()
    assert "firing   warning  HighTurnResponseLatency  127.0.0.1:15000  deepgram" in lines[0]
    assert [line.strip() for line in lines[1:3]] == ["Answers are slow", "docs/Runbook.md#x"]
    assert "resolved" in lines[3]
    assert len(lines) == 4


@pytest.mark.parametrize("listener", [("--json",)], indirect=True)
def test_json_has_each_alert_on_a_line(listener):
    """Every alert of every notification, whole."""
    listener.post(told(ALERT, ALERT))
    _, out = listener.stop()
    assert [json.loads(line) for line in out.splitlines()] == [ALERT, ALERT]


@pytest.mark.parametrize(
    "body", [b"", b"no json", b"[]", b'{"alerts": 1}', b'{"alerts": ["x"]}', b"[" * 100_000]
)
def test_what_is_no_notification_is_refused_and_harmless(listener, body):
    """It answers 400, and goes on to take what is one."""
    with pytest.raises(urllib.error.HTTPError) as refused:
        listener.post(body)
    assert refused.value.code == 400
    refused.value.close()
    assert listener.post(told(ALERT)) == 200


def drip(url, stop, seconds=0.2):
    """Send a notification a byte at a time; return whether it was cut off, and not stopped."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n")
        while not stop.wait(seconds):
            try:
                connection.sendall(b" ")
                connection.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    if connection.recv(100) == b"":
                        return True
                connection.setblocking(True)
            except OSError:
                return True
    return False


def test_who_drips_keeps_nobody_waiting_and_is_cut_off(listener):
    """Others are told meanwhile, however many drip, and those are gone after ten seconds."""
    stop = threading.Event()
    with concurrent.futures.ThreadPoolExecutor(60) as pool:
        dripping = [pool.submit(drip, listener.url, stop) for _ in range(60)]
        assert listener.post(told(ALERT)) == 200
        ended = concurrent.futures.wait(dripping, timeout=120)
        stop.set()
    assert not ended.not_done
    assert all(each.result() for each in dripping)
    assert listener.post(told(ALERT)) == 200


def test_nothing_steers_the_terminal(listener):
    """Control characters of labels are made visible."""
    listener.post(told({**ALERT, "labels": {"alertname": "\x1b[2Jgone", "severity": "\x07"}}))
    _, out = listener.stop()
    assert "\x1b" not in out
    assert "\ufffd[2Jgone" in out


def test_a_port_in_use_is_told_with_its_mend():
    """The error names the port, --port and the file that must agree."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-m", "ai_engine_quality", "listen", "--port", port],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert port in done.stderr
    assert "alertmanager.yml" in done.stderr


def test_what_is_told_again_is_one_line(listener):
    """A repetition is marked and has no words; after it has resolved, an alert is new again."""
    since = {**ALERT, "startsAt": "2026-11-29T08:00:00Z"}
    for alert in (since, since, {**since, "status": "resolved"}, since):
        assert listener.post(told(alert)) == 200
    _, out = listener.stop()
    assert out.count("HighTurnResponseLatency") == 4
    assert out.count("told again") == 1
    assert out.count("Answers are slow") == 2
