"""``demo --serve`` under load: its options, and what they refuse."""

from __future__ import annotations

import re
import urllib.request

import pytest
from services import eventually, serving_demo


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--speed", "0"], "10, or virtual"),
        (["--speed", "fast"], "10, or virtual"),
        (["--calls-per-hour", "0"], "calls_per_hour must be over 0"),
        (["--concurrent", "0"], "concurrent must be at least 1"),
        (["--fault", "nonsense"], "choose one of slow_provider"),
        (["--fault", "jitter:soon"], "write 90s, 3m or 1h"),
        (["--fault", "engine_stop"], "engine_stop:1m"),
        (["--generation", "2024-01"], "2026-08"),
    ],
)
def test_a_wrong_option_is_an_error_with_its_mend(run, tmp_path, arguments, told):
    """Nothing is started with a wrong option; the message says what a right one is."""
    records = tmp_path / "calls.jsonl"
    done = run("demo", "--serve", "--port", 0, "--records", records, *arguments)
    assert done.exit_code == 2, done.output
    assert told in done.output
    assert not records.exists()


def test_another_generation_faster_and_busier(tmp_path):
    """With its options the engine serves the metrics of 2025-10, and calls come in numbers."""
    options = ("--generation", "2025-10", "--speed", "10", "--calls-per-hour", "3600", "--daily")
    calls = set()
    with serving_demo(tmp_path, *options, "--concurrent", "6", "--seed", "7") as serving:
        assert "at speed 10" in serving

        def more():
            nonlocal text
            with urllib.request.urlopen(serving.split()[1], timeout=10) as answer:
                text = answer.read().decode()
            sample = r'^ai_agent_stream_frames_sent_total\{call_id="([\d.]+)"\}'
            calls.update(re.findall(sample, text, re.MULTILINE))
            return len(calls) >= 25  # 20 are the matrix's

        text = ""
        eventually(more)
    assert len(calls) >= 25
    assert "ai_agent_mcp_server_up" not in text
