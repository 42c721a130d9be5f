"""``fault``: break a running reference engine in a chosen way, and take it back."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
from typing import Any
from urllib.parse import quote, urlsplit

import click

from ai_engine_quality.cli import console, json_option, plain_table, print_json
from ai_engine_quality.toolkit import parse_duration, printable

DEFAULT_URL = "http://127.0.0.1:15000"
PATIENCE_SECONDS = 10.0
"""In which the engine must say something."""

TOTAL_SECONDS = 30.0
"""In which it must have said everything: whatever serves on that port may drip."""

MAX_BYTES = 1_000_000


@click.command(short_help="Switch a fault of `demo --serve` on or off.")
@click.argument("name", required=False)
@click.option("--for", "lasting", metavar="TIME", help="How long it lasts, e.g. 90s, 3m or 1h.")
@click.option("--clear", is_flag=True, help="Take the fault back; without a NAME, all of them.")
@click.option("--list", "listing", is_flag=True, help="List the faults and which of them are on.")
@click.option("--url", default=DEFAULT_URL, show_default=True, help="Where the engine serves.")
@json_option
def fault(
    *, name: str | None, lasting: str | None, clear: bool, listing: bool, url: str, as_json: bool
) -> None:
    """Inject the fault NAME into a running `demo --serve`, or take it back.

    Without --for it lasts until it is taken back. One that is on already gets the new time, and the
    line says so. Exit code 1: the engine refused, or isn't there.
    """
    _check_use(name, lasting, clear=clear, listing=listing)
    method, path, body = "GET", "/faults", None
    before: list[dict[str, Any]] = []
    if clear:
        method, path = "DELETE", f"/faults/{quote(name, safe='')}" if name else "/faults"
    elif name is not None and not listing:
        method = "POST"
        body = {"name": name, "for": None if lasting is None else _seconds(lasting)}
        before = _ask(url, "GET", path, None)["faults"]
    faults = _ask(url, method, path, body)["faults"]
    if as_json:
        print_json({"faults": faults})
    elif listing:
        _print_all(faults)
    else:
        _print_active(faults, again=_again(name, before))


def _again(name: str | None, before: list[dict[str, Any]]) -> str | None:
    """Return the fault that is asked for where it was on before: nobody takes it for a new one."""
    asked = (name or "").replace("-", "_")
    return next(
        (found["name"] for found in before if found["active"] and found["name"] == asked), None
    )


def _check_use(name: str | None, lasting: str | None, *, clear: bool, listing: bool) -> None:
    if clear and (listing or lasting):
        raise click.UsageError("--clear goes with a NAME, or alone")
    if listing and (name or lasting):
        raise click.UsageError("--list goes alone")
    if name is None and not (clear or listing):
        raise click.UsageError("name a fault, e.g. `jitter --for 3m`; --list shows them")


def _seconds(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--for") from error


def _ask(url: str, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
    """Return the engine's answer; what it refuses is an error in its own words."""
    try:
        status, text = _exchange(url, method, path, body)
    except (OSError, http.client.HTTPException) as error:
        raise click.ClickException(
            f"no engine answers on {url} ({str(error) or type(error).__name__}); "
            "start one with `ai-engine-quality demo --serve`, or name its --url"
        ) from error
    answer = _decoded(text)
    if answer is None or (status == http.HTTPStatus.OK and not _lists_faults(answer)):
        raise click.ClickException(f"{url} is no reference engine; name its --url")
    if status != http.HTTPStatus.OK:
        raise click.ClickException(printable(str(answer.get("error", f"HTTP status {status}"))))
    return answer


def _exchange(url: str, method: str, path: str, body: dict[str, Any] | None) -> tuple[int, bytes]:
    try:
        target = urlsplit(url)
        host, port = target.hostname, target.port or 80
    except ValueError:
        host, port = None, 0
    if host is None or target.scheme != "http":
        raise click.BadParameter(f"{url!r} is no http URL, e.g. {DEFAULT_URL}", param_hint="--url")
    connection = http.client.HTTPConnection(host, port, timeout=PATIENCE_SECONDS)
    connection.connect()
    end = threading.Timer(TOTAL_SECONDS, _cut_off, (connection.sock,))
    end.daemon = True
    end.start()
    try:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        with connection.getresponse() as answer:
            return answer.status, answer.read(MAX_BYTES)
    finally:
        end.cancel()
        connection.close()


def _cut_off(connection: socket.socket) -> None:
    """Let whoever reads from a connection find its end."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _decoded(text: bytes) -> dict[str, Any] | None:
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _lists_faults(answer: dict[str, Any]) -> bool:
    """Return whether an answer is what a reference engine's is: anything may serve on a port."""
    faults = answer.get("faults")
    return isinstance(faults, list) and all(
        isinstance(found, dict)
        and all(isinstance(found.get(key), str) for key in ("name", "title"))
        and isinstance(found.get("factors"), list)
        and isinstance(found.get("active"), bool)
        and isinstance(found.get("seconds_left"), int | float | None)
        for found in faults
    )


def _print_all(faults: list[dict[str, Any]]) -> None:
    table = plain_table("fault", "what it does", "factor", "state")
    for found in faults:
        factors = ", ".join(map(str, found["factors"])) or "none"
        table.add_row(*map(printable, (found["name"], found["title"], factors, _state(found))))
    console().print(table)


def _print_active(faults: list[dict[str, Any]], *, again: str | None) -> None:
    out = console()
    on = [found for found in faults if found["active"]]
    for found in on:
        repeated = ", was on already" if found["name"] == again else ""
        text = f"{found['name']}: {found['title']} ({_state(found)}{repeated})"
        out.print(printable(text), soft_wrap=True)
    if not on:
        out.print("No fault is on.")


def _state(found: dict[str, Any]) -> str:
    if not found["active"]:
        return "off"
    left = found["seconds_left"]
    return "on" if left is None else f"on, {left:g} s left"
