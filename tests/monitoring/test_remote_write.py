"""Past one machine: a real VictoriaMetrics receives what Prometheus stores, call ids if wanted."""

from __future__ import annotations

import base64
import json
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import pytest
import yaml
from live_stack import Fleet, Stack, Webhook
from rule_files import MONITORING
from services import ended, eventually, free_port, program

pytestmark = pytest.mark.system("prometheus", "victoria-metrics")

USER, PASSWORD = "monitoring", "only-for-this-test"
LOGIN = {"Authorization": f"Basic {base64.b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}"}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Return the URL of a VictoriaMetrics."""
    port = free_port()
    folder = tmp_path_factory.mktemp("store")
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [
                program("victoria-metrics"),
                f"-storageDataPath={folder}/data",
                f"-httpListenAddr=127.0.0.1:{port}",
                "-retentionPeriod=1y",
                # Newer ones read the password from a file, as the Compose file has it.
                f"-httpAuth.username={USER}",
                f"-httpAuth.password={PASSWORD}",
            ],
            stdout=log,
            stderr=log,
        )
    yield f"http://127.0.0.1:{port}"
    ended(process)


def written(store, expression):
    """Return a query's series in the store; none while it can't be asked yet."""
    query = urllib.parse.urlencode({"query": expression, "nocache": "1"})
    request = urllib.request.Request(f"{store}/api/v1/query?{query}", headers=LOGIN)
    try:
        with urllib.request.urlopen(request, timeout=10) as found:
            answer = json.load(found)
    except (urllib.error.URLError, OSError):
        return []
    return answer["data"]["result"]


def test_no_web_page_reads_writes_or_deletes(store):
    """Without the login nothing is answered, whatever origin asks; its health is."""
    health = f"{store}/health"
    eventually(lambda: status(health) == 200)
    for path in ("/api/v1/query?query=1", "/api/v1/import", "/api/v1/admin/tsdb/delete_series"):
        assert status(store + path, Origin="https://page.example") == 401, path
    assert status(f"{store}/api/v1/query?query=1", **LOGIN) == 200


def status(url, **headers):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except OSError:
        return None


@pytest.mark.parametrize("keep_call_ids", [True, False], ids=["with call ids", "without"])
def test_the_store_receives_samples_and_recorded_rules(keep_call_ids, store, tmp_path):
    """The engine's metrics and what is recorded of them arrive; call ids only where wanted."""
    text = (MONITORING / "storage" / "prometheus.remote-write.yml").read_text()
    if not keep_call_ids:
        text = _with_the_lines_taken_in(text)
    remote = yaml.safe_load(text)["remote_write"]
    remote[0]["url"] = f"{store}/api/v1/write"
    remote[0]["queue_config"]["batch_send_deadline"] = "500ms"
    assert remote[0].pop("basic_auth")["username"] == USER
    remote[0]["basic_auth"] = {"username": USER, "password": PASSWORD}
    site = f"kept-{keep_call_ids}".lower()
    webhook, fleet = Webhook(), Fleet(20, "any")
    stack = Stack(tmp_path, 20, webhook, extra={"remote_write": remote})
    stack.watch(fleet.instance("any"))
    targets = tmp_path / "targets" / "engines.yml"
    targets.write_text(
        yaml.safe_dump([{"targets": [fleet.instance("any")], "labels": {"site": site}}])
    )
    here = f'{{instance="{fleet.instance("any")}"}}'
    try:
        stack.start()
        eventually(lambda: stack.query(f"ai_agent_call_quality_score{here}"), what=stack.log)
        for name in ("ai_agent_calls_active", "job_instance:ai_agent_calls:active"):
            eventually(lambda name=name: written(store, f"{name}{here}"), what=stack.log)
        scores = f'last_over_time(ai_agent_call_quality_score{{site="{site}"}}[1h])'
        if keep_call_ids:
            eventually(lambda: written(store, scores), what=stack.log)
        else:
            eventually(
                lambda: written(store, f"ai_agent_calls_scored_total{here} > 1"), what=stack.log
            )
            assert written(store, scores) == []
    finally:
        stack.stop()
        fleet.kill()
        webhook.close()


def _with_the_lines_taken_in(text):
    """Take the commented lines of write_relabel_configs in, as the file says."""
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if "# write_relabel_configs:" in line)
    for index in range(start, start + 4):
        lines[index] = lines[index].replace("# ", "", 1)
    return "\n".join(lines)
