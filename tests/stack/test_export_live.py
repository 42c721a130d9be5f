"""Exported rules on a real Prometheus that has another job name and another scrape interval."""

from __future__ import annotations

import pytest
import yaml
from live_stack import Stack, Webhook
from prometheus_client import CollectorRegistry
from rule_files import FILES, sped_up
from services import eventually, served

import ai_engine_quality as aeq

SPEED = 20


@pytest.mark.slow
@pytest.mark.system("prometheus", "prometheus-alertmanager")
def test_a_dead_engine_fires_under_another_job_and_interval(run, tmp_path):
    """Scraped as ``voice`` every 30 s (sped up), an engine that dies fires HealthEndpointDown."""
    exported, folder = tmp_path / "exported", tmp_path / "stack"
    folder.mkdir()
    assert run("export-rules", exported, "--job", "voice").exit_code == 0
    webhook = Webhook()
    stack = Stack(folder, SPEED, webhook, scrape="1500ms")
    for name in FILES:
        (folder / name).write_text(sped_up((exported / name).read_text(), SPEED))
    config = yaml.safe_load((folder / "prometheus.yml").read_text())
    config["scrape_configs"][0]["job_name"] = "voice"
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    registry = CollectorRegistry()
    try:
        with served(aeq.QualityMonitor(registry=registry, log=False), registry) as monitor:
            stack.watch(f"127.0.0.1:{monitor.port}")
            stack.start()
            eventually(lambda: stack.query("job_instance:ai_engine:target"), what=stack.log)
            assert stack.query('up{job="voice"} == 1')
            instance = f"127.0.0.1:{monitor.port}"
        eventually(lambda: ("HealthEndpointDown", instance) in stack.firing(), what=stack.log)
        eventually(lambda: stack.query("ALERTS{job='voice', alertstate='firing'}"))
    finally:
        stack.stop()
        webhook.close()
