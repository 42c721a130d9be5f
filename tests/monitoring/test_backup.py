"""The manual's backup: the folder of a stopped Prometheus, packed and unpacked elsewhere."""

from __future__ import annotations

import subprocess
import tarfile

import pytest
import yaml
from live_stack import get_json
from services import eventually, free_port, program

pytestmark = pytest.mark.system("prometheus")


@pytest.fixture
def prometheus(tmp_path):
    """Return a function that starts a Prometheus on a folder; it watches itself, and is stopped."""
    running = []

    def start(folder):
        port = free_port()
        config = tmp_path / f"{folder.name}.yml"
        targets = {"targets": [f"127.0.0.1:{port}"], "labels": {"instance": "engine"}}
        config.write_text(
            yaml.safe_dump(
                {
                    "global": {"scrape_interval": "200ms", "scrape_timeout": "200ms"},
                    "scrape_configs": [{"job_name": "ai-engine", "static_configs": [targets]}],
                }
            )
        )
        with (tmp_path / f"{folder.name}.log").open("w") as log:
            process = subprocess.Popen(
                [
                    program("prometheus"),
                    f"--config.file={config}",
                    f"--storage.tsdb.path={folder}",
                    "--storage.tsdb.retention.time=30d",
                    f"--web.listen-address=127.0.0.1:{port}",
                ],
                stdout=log,
                stderr=log,
            )
        running.append(process)
        return process, f"http://127.0.0.1:{port}"

    yield start
    for process in running:
        process.kill()
        process.wait(20)


def samples(url, end="now"):
    """Return [second, value] of each scrape's ``up``; none before it answers."""
    when = {} if end == "now" else {"time": end}
    try:
        answer = get_json(f"{url}/api/v1/query", query='up{job="ai-engine"}[5m]', **when)
    except OSError:
        return []
    found = answer["data"]["result"]
    return found[0]["values"] if found else []


def test_what_was_packed_of_a_stopped_prometheus_comes_back(prometheus, tmp_path):
    """Unpacked on another machine's empty folder, every sample from before the stop is there."""
    process, url = prometheus(tmp_path / "first")
    eventually(lambda: len(samples(url)) >= 10, what=lambda: samples(url))
    before = samples(url)
    process.terminate()
    assert process.wait(20) == 0
    archive = tmp_path / "prometheus-data.tar.gz"
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(tmp_path / "first", arcname=".")
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path / "second", filter="data")
    _, url = prometheus(tmp_path / "second")
    last = before[-1][0]
    restored = eventually(lambda: samples(url, last), what=lambda: "no samples")
    assert restored[-len(before) :] == before
