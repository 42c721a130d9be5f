"""The commands and queries of the handbook exist: nobody copies one that was renamed."""

from __future__ import annotations

import itertools
import re
import shlex
import subprocess

import click
import pytest
import yaml
from ai_engine_lab.engine.inventory import GENERATIONS, inventory
from handbook.metrics_page import library_metrics
from pages import ROOT, commands, everywhere, named
from services import compose_program, program

from ai_engine_quality.cli import cli
from ai_engine_quality.doctor.expected import LIBRARY

COMMANDS = list(commands())
SOURCES = (ROOT, ROOT / "lab")
LINES = sorted({line for _, line in COMMANDS})
SYSTEM = {"sh", "sudo"} | {
    "ENGINE=http://127.0.0.1:15000",
    "amtool",
    "agent",
    "ask",
    "ask()",
    "asterisk",
    "cat",
    "cd",
    "cp",
    "curl",
    "docker",
    "export",
    "git",
    "kubectl",
    "ls",
    "ping",
    "pip",
    "promtool",
    "ss",
    "ssh",
    "tar",
    "prometheus",
    "prometheus-alertmanager",
}
"""What an operator's machine, the engine's project or the runbook itself brings."""
OWN = {"ai-engine-quality", "make", "python", "build/fresh/bin/python"}


def words(line):
    """Return a command line's words, up to the first pipe or redirection."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|<>&;")
    lexer.whitespace_split = True
    lexer.commenters = ""
    found = list(itertools.takewhile(lambda word: not set(word) <= set("|<>&;"), lexer))
    while len(found) > 1 and re.fullmatch(r"[A-Z_]+=\S*", found[0]):
        found.pop(0)  # variables in front of a command
    return found


def calls(program):
    """Return the arguments of each call of a program, wherever it stands in the documents."""
    inline = [
        code
        for page in everywhere()
        for code in re.findall(r"`([^`\n]+)`", page.path.read_text())
        if code.startswith(f"{program} ")
    ]
    indented = [
        line.strip()
        for page in everywhere()
        for text in [page.path.read_text()]
        for line in re.findall(rf"^    {program} .*$", text, re.MULTILINE)
    ]
    found = {line.split("  #")[0] for line in [*LINES, *inline, *indented]}
    return sorted(line for line in found if words(line)[:1] == [program])


def test_there_are_commands():
    """The documents are read: commands of ours and of others are found."""
    assert len(LINES) > 50
    assert len(calls("ai-engine-quality")) > 15
    assert len(calls("make")) > 5


@pytest.mark.parametrize("line", LINES)
def test_every_command_is_a_program_that_somebody_has(line):
    """A command starts with one of ours, or with a known tool of the operator's."""
    assert words(line)[0] in SYSTEM | OWN


@pytest.mark.parametrize("line", calls("ai-engine-quality"))
def test_our_commands_and_their_options_exist(line):
    """The command exists, has every option that is shown, and takes the arguments."""
    _, name, *arguments = words(line)
    if name.startswith("-"):
        return
    command = cli.get_command(None, name)
    assert command is not None
    if name == "run":
        assert arguments[0] == "--"
        return
    known = {option for p in command.params for option in (*p.opts, *p.secondary_opts)}
    used = {word.partition("=")[0] for word in arguments if word.startswith("--")}
    assert used - known - {"--help"} == set()
    context = click.Context(command, info_name=name, resilient_parsing=True)
    command.make_parser(context).parse_args(list(arguments))


@pytest.mark.parametrize("line", calls("make"))
def test_our_make_targets_exist(line):
    """The Makefile has the target."""
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert words(line)[1] in targets


@pytest.mark.parametrize("line", calls("python"))
def test_our_scripts_exist(line):
    """What Python is asked to run is a file or a module of this project, or a known one."""
    _, *arguments = words(line)
    if arguments[0] == "-m":
        assert arguments[1] in {
            "ai_engine_quality",
            "pytest",
            "build",
            "venv",
            "src.engine",
        } or any((at / (arguments[1].replace(".", "/") + ".py")).is_file() for at in SOURCES)
    elif arguments[0] not in {"main.py", "-c"}:
        assert (ROOT / arguments[0]).exists()


@pytest.mark.parametrize(
    "line", [line for line in LINES if "docker-compose.monitoring" in line or "monitoring/" in line]
)
def test_files_that_commands_name_exist(line):
    """Compose files, rule files and lists of targets are where commands look for them."""
    names = re.findall(r"(?<![\w/.-])(?:monitoring/[\w./-]+|docker-compose[\w.-]+)", line)
    assert names
    assert [name for name in names if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("line", [line for line in LINES if "exec " in line or " kill " in line])
def test_services_that_compose_is_asked_for_exist(line):
    """A service that a command names is one of the stack's."""
    services = yaml.safe_load((ROOT / "docker-compose.monitoring.yml").read_text())["services"]
    if "docker-compose.monitoring.yml" in line:
        assert any(word in services for word in words(line))


QUERIES = sorted(
    {line.split("'")[1] for line in LINES if words(line)[0] == "ask" and "'" in line}
    | {q.strip() for page in everywhere() for q in page.code("promql")}
)


@pytest.fixture(scope="module")
def metrics():
    """Return the names of all series: the library's, both engines', and the rules'."""
    names = {"up", "scrape_samples_scraped", "ALERTS", "prometheus_tsdb_storage_blocks_bytes"}
    names |= {"prometheus_notifications_errors_total", "alertmanager_notifications_failed_total"}
    found = [(m.name, m.type) for m in library_metrics()]
    for generation in GENERATIONS:
        found += [(m.exposed_name.removesuffix("_total"), m.kind) for m in inventory(generation)]
    for name, kind in found:
        names |= {
            "counter": {f"{name}_total"},
            "histogram": {f"{name}_bucket", f"{name}_sum", f"{name}_count"},
            "summary": {f"{name}_sum", f"{name}_count"},
            "info": {f"{name}_info", name},
        }.get(kind, {name})
    for path in (ROOT / "monitoring" / "rules").glob("*.yml"):
        for group in yaml.safe_load(path.read_text())["groups"]:
            names |= {rule["record"] for rule in group["rules"]}
    return names


def test_the_table_of_metrics_has_every_label():
    """The call that the table is made from has everything: each metric shows all of its labels."""
    shown = {
        metric.name: {name for sample in metric.samples for name in sample.labels} - {"le"}
        for metric in library_metrics()
    }
    assert shown == LIBRARY


@pytest.mark.system("prometheus")
def test_prometheus_understands_every_query(tmp_path, metrics):
    """Promtool accepts each query, and each series that one reads exists."""
    assert len(QUERIES) > 25
    rules = [{"record": f"handbook:query:{n}", "expr": q} for n, q in enumerate(QUERIES)]
    file = tmp_path / "queries.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "handbook", "rules": rules}]}))
    done = subprocess.run(
        [program("promtool"), "check", "rules", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    read = set()
    for query in QUERIES:
        bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\b(?:by|on|ignoring) \([^)]*\)", " ", query)
        read |= set(re.findall(r"\b(?:\w+:[\w:]+|ai_agent_\w+|[a-z]+_\w+_\w+(?!\w*\())", bare))
    functions = {"histogram_quantile", "count_over_time", "max_over_time", "avg_over_time"}
    of_other_programs = {
        "process_start_time_seconds",
        "alertmanager_notification_requests_failed_total",
    }
    assert read - functions - metrics - of_other_programs == set()


def test_the_manuals_overrides_are_valid():
    """The real Compose accepts each override of the manual on top of the stack."""
    blocks = [b for b in named("Operators-Manual.md").code("yaml") if "grafana:" in b]
    assert len(blocks) == 3
    for block in blocks:
        done = subprocess.run(
            [
                str(compose_program()),
                "-f",
                str(ROOT / "docker-compose.monitoring.yml"),
                "-f",
                "-",
                "config",
                "--quiet",
            ],
            input=block,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
