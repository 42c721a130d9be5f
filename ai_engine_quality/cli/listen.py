"""``listen``: the webhook that ``monitoring/alertmanager.yml`` tells of alerts; prints them."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from ai_engine_quality.cli.output import console, json_option
from ai_engine_quality.core.wording import printable
from ai_engine_quality.palette import ORANGE, SKY, VERMILLION

MAX_BODY_BYTES = 4_000_000
"""Alertmanager's notifications have a few kB; this is beyond any of them."""

CONNECTION_SECONDS = 10.0
"""However slowly a notification drips: by then it is complete, or cut off."""

MAX_CONNECTIONS = 50
"""Beyond these the oldest one is cut off: Alertmanager's own are over in milliseconds."""

_NEVER = object()
_STYLES = {"critical": f"bold {VERMILLION}", "warning": ORANGE, "info": SKY}


@click.command(short_help="Print the notifications that a stack sends.")
@click.option("--port", type=click.IntRange(0, 65_535), default=9099, show_default=True)
@json_option
def listen(*, port: int, as_json: bool) -> None:
    """Print what Alertmanager tells, until interrupted.

    A receiver to try the alerts with: it wakes nobody. Alerts come to 127.0.0.1, on any path. What
    Alertmanager repeats of an alert that still fires is one line, marked as such.
    """
    out = console()
    known = _Known()

    def tell(alert: Mapping[str, Any]) -> None:
        if as_json:
            click.echo(json.dumps(alert))
        else:
            _print(out, alert, again=known.repeated(alert))

    try:
        server = _Server(("127.0.0.1", port), _handler(tell))
    except OSError as error:
        raise click.ClickException(
            f"port {port} can't be had ({error.strerror}); choose another one with --port, and "
            "name it in monitoring/alertmanager.yml"
        ) from error
    with server:
        click.echo(f"Listening for Alertmanager on http://127.0.0.1:{server.server_port}", err=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            click.echo("", err=True)


def alerts_of(stream: BufferedIOBase, length: int) -> list[Mapping[str, Any]]:
    """Read the alerts of a notification, in the form of Alertmanager's webhook, version 4.

    Raises:
        ValueError: it isn't one.
    """
    if not 0 <= length <= MAX_BODY_BYTES:
        raise ValueError(f"a notification has at most {MAX_BODY_BYTES} bytes")
    body = stream.read(length)
    told = json.loads(body)
    alerts = told.get("alerts") if isinstance(told, dict) else None
    if not isinstance(alerts, list) or not all(isinstance(alert, dict) for alert in alerts):
        raise ValueError("this is no notification of Alertmanager's: it has no list of alerts")
    return alerts


class _Server(ThreadingHTTPServer):
    """Takes notifications side by side; nobody keeps the others waiting, or stays for long."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._open: dict[socket.socket, float] = {}
        """When each connection began, the oldest one first."""
        self._lock = threading.Lock()
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Take a connection, for which the oldest one may have to go."""
        with self._lock:
            if len(self._open) >= MAX_CONNECTIONS:
                oldest = next(iter(self._open))
                del self._open[oldest]
                _cut_off(oldest)
            self._open[request] = time.monotonic()
        super().process_request(request, client_address)

    def service_actions(self) -> None:
        """Cut off who has been here for too long. Called twice a second."""
        until = time.monotonic() - CONNECTION_SECONDS
        with self._lock:
            for request in [each for each, since in self._open.items() if since < until]:
                del self._open[request]
                _cut_off(request)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection that is over."""
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a connection that failed: the alerts are what is printed."""


def _cut_off(connection: socket.socket) -> None:
    """Have the thread that reads from a connection find its end."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _handler(tell: Callable[[Mapping[str, Any]], None]) -> type[BaseHTTPRequestHandler]:
    one_at_a_time = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        timeout = CONNECTION_SECONDS

        def do_POST(self) -> None:  # the name that http.server asks for
            try:
                length = int(self.headers.get("Content-Length", ""))
                alerts = alerts_of(self.rfile, length)
            except (ValueError, RecursionError) as error:
                self.send_error(400, printable(str(error))[:200])
                return
            with one_at_a_time:
                for alert in alerts:
                    tell(alert)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing of requests: the alerts are what is printed."""

    return Handler


class _Known:
    """The latest firing alerts, to know a repetition: the same labels, firing since the same time.

    Notifications are told one at a time, so no lock is needed.
    """

    def __init__(self, most: int = 1_000) -> None:
        self._most = most
        self._since: dict[str, object] = {}

    def repeated(self, alert: Mapping[str, Any]) -> bool:
        """Return whether this was told before, and hasn't resolved since."""
        labels = json.dumps(alert.get("labels"), sort_keys=True)
        before = self._since.pop(labels, _NEVER)
        if alert.get("status") != "firing":
            return False
        self._since[labels] = alert.get("startsAt")
        if len(self._since) > self._most:
            del self._since[next(iter(self._since))]
        return before is not _NEVER and before == alert.get("startsAt")


def _print(out: Console, alert: Mapping[str, Any], *, again: bool) -> None:
    labels, notes = _texts(alert.get("labels")), _texts(alert.get("annotations"))
    status, severity = str(alert.get("status", "?")), labels.get("severity", "?")
    firing = status == "firing"
    line = Text(datetime.now().astimezone().strftime("%H:%M:%S "))
    line.append(f"{printable(status):8} ", style="bold" if firing else "dim")
    line.append(f"{printable(severity):8} ", style=_STYLES.get(severity, "") if firing else "dim")
    line.append(printable(labels.get("alertname", "an alert without a name")))
    where = [labels[name] for name in ("instance", "provider", "cause") if name in labels]
    line.append(printable("".join(f"  {value}" for value in where)))
    if again:
        line.append("  (still firing, told again)", style="dim")
    out.print(line)
    new = firing and not again
    for name in ("summary", "description", "runbook_url", "dashboard_url") if new else ():
        if name in notes:
            out.print(Text(f"                  {printable(notes[name])}", style="dim"))


def _texts(values: object) -> dict[str, str]:
    found = values if isinstance(values, dict) else {}
    return {str(name): str(value) for name, value in found.items()}
