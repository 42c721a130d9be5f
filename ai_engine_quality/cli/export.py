"""``export-rules`` and ``export-dashboards``: for a Prometheus and a Grafana that run already."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click

from ai_engine_quality.cli.output import json_option, print_json
from ai_engine_quality.core.wording import plural, printable
from ai_engine_quality.stack.exporting import (
    DEFAULT_JOBS,
    GRAFANA,
    RUNBOOK,
    THRESHOLDS,
    Deployment,
    ExportError,
    exported_dashboard,
    exported_rules,
)
from ai_engine_quality.stack.files import dashboards, rule_files
from ai_engine_quality.stack.kubernetes import Cluster, config_map, pod_monitor, prometheus_rule

Command = TypeVar("Command", bound=Callable[..., Any])


class _Pairs(click.ParamType[tuple[str, str]]):
    name = "NAME=VALUE"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        key, found, rest = str(value).partition("=")
        if not found or not key:
            self.fail(f"{value!r} is no NAME=VALUE", param, ctx)
        return key, rest


def _common(command: Command) -> Command:
    for option in (
        json_option,
        click.option(
            "--label", "labels", type=_Pairs(), multiple=True, help="A label of each object."
        ),
        click.option("--namespace", default="", help="The objects' namespace."),
        click.option("--kubernetes", is_flag=True, help="Objects for a cluster."),
        click.option(
            "--job",
            "jobs",
            multiple=True,
            help="The engines' scrape job; may be repeated.  [default: ai-engine, ai_engine]",
        ),
        click.argument("folder", type=click.Path(path_type=Path, file_okay=False)),
    ):
        command = option(command)
    return command


def _described() -> str:
    return "\b\n" + "\n".join(
        f"  {name:<28} {known.usual:<6g} {known.what}" for name, known in THRESHOLDS.items()
    )


@click.command(
    "export-rules",
    short_help="Write rules and alerts, for your own Prometheus.",
    epilog=f"Thresholds, and what they usually are:\n\n{_described()}",
)
@_common
@click.option("--runbook", default=RUNBOOK, help="Where docs/Runbook.md can be read: an address.")
@click.option("--grafana", default=GRAFANA, show_default=True, help="Grafana's address.")
@click.option("--threshold", "thresholds", type=_Pairs(), multiple=True, help="See below.")
@click.option("--pod-label", "pods", type=_Pairs(), multiple=True, help="Of the engine's pods.")
@click.option("--port", default="metrics", show_default=True, help="The engine's port, by name.")
@click.option("--scrape-interval", default="1s", show_default=True, help="Of the PodMonitor.")
def export_rules(
    *,
    folder: Path,
    jobs: tuple[str, ...],
    runbook: str,
    grafana: str,
    thresholds: tuple[tuple[str, str], ...],
    kubernetes: bool,
    namespace: str,
    labels: tuple[tuple[str, str], ...],
    pods: tuple[tuple[str, str], ...],
    port: str,
    scrape_interval: str,
    as_json: bool,
) -> None:
    """Write the recording rules and alerts into FOLDER, for your own Prometheus.

    Name them in rule_files of prometheus.yml. With --kubernetes they are PrometheusRule objects,
    with a PodMonitor that scrapes the engine.
    """
    try:
        of = Deployment(jobs or DEFAULT_JOBS, runbook, grafana, _numbers(thresholds))
        where = {"pods": dict(pods)} if pods else {}
        cluster = Cluster(namespace, dict(labels), port=port, interval=scrape_interval, **where)
    except ExportError as error:
        raise click.ClickException(str(error)) from error
    files = [(name, exported_rules(text, of)) for name, text in rule_files().items()]
    if kubernetes:
        files = [prometheus_rule(name, text, cluster) for name, text in files]
        files.append(pod_monitor(of, cluster))
    _write(folder, files, as_json=as_json)


@click.command("export-dashboards", short_help="Write the dashboards, for your own Grafana.")
@_common
def export_dashboards(
    *,
    folder: Path,
    jobs: tuple[str, ...],
    kubernetes: bool,
    namespace: str,
    labels: tuple[tuple[str, str], ...],
    as_json: bool,
) -> None:
    """Write the dashboards' JSON into FOLDER, for your own Grafana.

    With --kubernetes they are ConfigMap objects with the label grafana_dashboard.
    """
    try:
        of = Deployment(jobs or DEFAULT_JOBS)
        cluster = Cluster(namespace, dict(labels))
    except ExportError as error:
        raise click.ClickException(str(error)) from error
    files = []
    for path in sorted(dashboards().glob("*.json")):
        text = exported_dashboard(path.read_text(encoding="utf-8"), of)
        files.append(config_map(path.stem, text, cluster) if kubernetes else (path.name, text))
    _write(folder, files, as_json=as_json)


def _numbers(pairs: Iterable[tuple[str, str]]) -> dict[str, float]:
    found = {}
    for name, text in pairs:
        try:
            found[name] = float(text)
        except ValueError:
            raise ExportError(f"{name}={text}: write a number") from None
    return found


def _write(folder: Path, files: Iterable[tuple[str, str]], *, as_json: bool) -> None:
    """Write files, and print their paths: a line each on standard error, or a list as JSON."""
    written = []
    try:
        for name, text in files:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            written.append(str(path))
            if not as_json:
                click.echo(printable(str(path)), err=True)
    except OSError as error:
        raise click.ClickException(f"{folder}: {error}. Name another folder") from error
    if as_json:
        print_json({"written": written})
    else:
        click.echo(printable(f"{plural(len(written), 'file')} in {folder}"))
