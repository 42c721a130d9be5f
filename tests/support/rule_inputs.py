"""Recorded traffic as the input of promtool, and what the rules made of it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from recorded_traffic import Recorded, as_input_series
from rule_files import FILES, MONITORING, expressions

NAMES = frozenset(re.findall(r"\bai_agent_\w+\b(?!:)", "\n".join(expressions())))
"""The metrics that rules read."""

FIRED = (
    'count by (alertname) (count_over_time(ALERTS{alertstate="firing",alertname!="Watchdog"}[48h]))'
)


def groups() -> list[str]:
    """Return the groups' names, what records before what alerts."""
    return [
        group["name"]
        for name in FILES
        for group in yaml.safe_load((MONITORING / name).read_text())["groups"]
    ]


def questions(
    recorded: Recorded,
    expressions: Iterable[str],
    *,
    more: Iterable[dict[str, str]] = (),
    every: str = "15s",
) -> dict[str, Any]:
    """Return a rule test that asks for expressions at the traffic's end, and expects nothing."""
    end = f"{int(recorded.step * recorded.steps)}s"
    return {
        "rule_files": [str(MONITORING / name) for name in FILES],
        "evaluation_interval": every,
        "group_eval_order": groups(),
        "tests": [
            {
                "interval": f"{recorded.step:g}s",
                "input_series": [*as_input_series(recorded), *more],
                "promql_expr_test": [
                    {"expr": text, "eval_time": end, "exp_samples": []} for text in expressions
                ],
            }
        ],
    }


def always_up(recorded: Recorded) -> dict[str, str]:
    """Return the engine's ``up``."""
    return {
        "series": 'up{instance="127.0.0.1:15000",job="ai-engine"}',
        "values": f"1x{recorded.steps - 1}",
    }


def ask(promtool: str, test: dict[str, Any], folder: Path) -> str:
    """Return what promtool says; nothing but its heading where every answer was empty."""
    path = folder / "recorded.yml"
    path.write_text(yaml.safe_dump(test, width=10_000_000))
    done = subprocess.run(
        [promtool, "test", "rules", str(path)], capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr
