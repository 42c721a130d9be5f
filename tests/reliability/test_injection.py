"""Nothing that a caller or a provider can name steers a terminal, a log or an exposition."""

from __future__ import annotations

import http.server
import json
import threading
from dataclasses import replace

import pytest
import structlog
from anything import LABEL_BREAKERS
from click.testing import CliRunner
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

import ai_engine_quality as aeq
from ai_engine_quality.cli import cli

STEERING = "\x1b]0;owned\x07\x1b[2J\x1b[31mred\r\nforged=1\x9b31m\u202e"


def harmless(text):
    """Return whether a terminal shows the text as it is: no control but the end of a line."""
    return all(char.isprintable() or char == "\n" for char in text)


@pytest.fixture
def forged(tmp_path):
    """Return a record file as a forger has it: every name in it would steer a terminal."""
    path = tmp_path / "calls.jsonl"
    file = aeq.RecordFile(path)
    for number, latency in enumerate([0.5, 4.0, 6.0]):
        summary = aeq.CallSummary(
            call_id=f"{number}{STEERING}",
            provider=STEERING,
            pipeline=STEERING,
            outcome=STEERING,
            duration=60.0,
            started_at=1_761_532_874.0,
            turn_latencies=(latency,) * 5,
            underflows=0,
            fallbacks=1,
            fallback_reasons={STEERING: 1},
        )
        file(replace(aeq.score(summary), policy_version=f"v1{STEERING}"))
    file.close()
    return path


@pytest.mark.parametrize(
    "command",
    [
        ["explain", f"1{STEERING}", "--records", "FILE"],
        ["explain", f"none{STEERING}", "--records", "FILE"],
        ["explain", f"1{STEERING}", "--records", "FILE", "--policy", "v1"],
        ["explain", "1", "--records", f"FILE{STEERING}"],
        ["explain", "1", "--records", "FILE", "--policy", f"v{STEERING}"],
        ["rescore", "FILE", "--policy", "v1"],
        ["compare", "FILE", "FILE"],
        ["compare", f"FILE?provider={STEERING}", f"FILE?outcome={STEERING}"],
        ["tune", "FILE"],
        ["explain", f"1{STEERING}", "--records", "FILE", "--json"],
        ["rescore", "FILE", "--policy", "v1", "--json"],
    ],
    ids=lambda command: " ".join(command).translate({ord(c): "" for c in STEERING})[:40],
)
def test_no_command_prints_what_a_record_holds_unescaped(forged, command):
    """Forged ids, names, reasons and versions reach the terminal made visible, or not at all."""
    words = [word.replace("FILE", str(forged)) for word in command]
    result = CliRunner().invoke(cli, words)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert result.output
    assert harmless(result.output), repr(result.output)


@pytest.mark.parametrize("listing", [True, False])
def test_an_engine_cannot_steer_the_terminal_of_fault(listing):
    """What answers in the engine's place is shown harmless, or told to be no engine."""

    class Forger(http.server.BaseHTTPRequestHandler):
        def do_GET(self):  # as http.server names it
            fault = {
                "name": STEERING,
                "title": STEERING,
                "factors": [STEERING],
                "active": True,
                "seconds_left": None,
            }
            body = json.dumps({"faults": [fault] if listing else [{"name": 7}]}).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Forger)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        result = CliRunner().invoke(cli, ["fault", "--list", "--url", url])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert harmless(result.output), repr(result.output)
    assert listing or "no reference engine" in result.output


@pytest.mark.parametrize("value", [STEERING, *LABEL_BREAKERS], ids=lambda text: repr(text[:9]))
def test_no_name_leaves_its_label(value):
    """Providers, pipelines, outcomes, versions: the text parses, and labels are harmless."""
    registry = CollectorRegistry()
    quality = aeq.QualityMonitor(registry=registry, log=False)
    quality.engine_info(version=value, audio_transport=value)
    quality.hook_live(value, live=True)
    quality.call_started("1.1", provider=value, pipeline=value)
    quality.turn_response("1.1", 0.5)
    quality.fallback("1.1", value)
    quality.codec_alignment("1.1", False, value)
    quality.call_ended("1.1", outcome=value, duration=60.0)
    text = generate_latest(registry).decode()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            assert sample.name.startswith("ai_agent_")
            assert all(harmless(label) for label in sample.labels.values())
    quality.close()


def test_no_log_line_is_forged(capsys):
    """On a console every event is one line, its traceback apart, and none has a control in it."""
    structlog.configure(processors=[structlog.dev.ConsoleRenderer(colors=False)])
    try:
        quality = aeq.QualityMonitor(registry=CollectorRegistry())

        def fails(score):
            raise ValueError(f"the provider said {STEERING} of {score.call_id}")

        quality.add_hook(fails)
        quality.call_started("1.1", provider=STEERING, pipeline=STEERING)
        quality.fallback("1.1", STEERING)
        quality.turn_response("1.1", 0.5)
        quality.call_ended("1.1", outcome=STEERING, duration=60.0)
        quality.call_started(f"1.2{STEERING}")
        quality.close()
    finally:
        structlog.reset_defaults()
    text = capsys.readouterr().out
    assert "call_quality_scored" in text
    assert "quality_hook_failed" in text
    assert harmless(text), repr(text)
