"""A real Prometheus beside ``demo --serve``: every metric has samples within a minute."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest
from ai_engine_lab.engine.inventory import inventory
from services import running_prometheus

SPEED = 2.0
MINUTE = 60.0 / SPEED
"""A minute of traffic, in seconds of the machine's."""


def ended(process):
    """End a process that this test has started."""
    process.send_signal(signal.SIGINT)
    try:
        return process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


@pytest.fixture
def engine(tmp_path):
    """Run the engine with its traffic; return the address that it serves on."""
    command = [
        sys.executable,
        "-u",
        "-m",
        "ai_engine_quality",
        "demo",
        "--port",
        "0",
        "--serve",
        "--speed",
        str(SPEED),
    ]
    wide = {**os.environ, "COLUMNS": "220"}
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, text=True, env=wide
    ) as demo:
        serving = next(line for line in iter(demo.stdout.readline, "") if "Serving " in line)
        yield urllib.parse.urlsplit(serving.split()[1]).netloc
        assert ended(demo) == 0


@pytest.fixture
def prometheus(engine, tmp_path):
    """Run a Prometheus that scrapes the engine every second; return where its API is."""
    with running_prometheus(tmp_path, engine) as url:
        yield url


def names(prometheus):
    """Return the names of all metrics that have a sample now; none while it is starting."""
    query = urllib.parse.urlencode({"query": 'count by (__name__) ({__name__=~"ai_agent_.+"})'})
    try:
        with urllib.request.urlopen(f"{prometheus}/api/v1/query?{query}", timeout=10) as answer:
            series = json.load(answer)["data"]["result"]
    except urllib.error.URLError:
        return set()
    return {one["metric"]["__name__"] for one in series}


def test_every_metric_has_samples_within_a_minute_of_traffic(prometheus):
    """All 59 metrics of the newest generation are in Prometheus a minute after traffic began."""
    wanted = {
        f"{metric.exposed_name}_bucket" if metric.kind == "histogram" else metric.exposed_name
        for metric in inventory("2026-08")
    }
    assert len(wanted) == 59
    began = time.monotonic()
    while (missing := wanted - names(prometheus)) and time.monotonic() < began + MINUTE:
        time.sleep(0.5)
    assert missing == set()
