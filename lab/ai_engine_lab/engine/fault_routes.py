"""The control channel for faults, `/faults` on the engine's own HTTP side.

`GET /faults` lists them with their state; `POST /faults` with `{"name": "jitter", "for": 180}`
injects one (`for` in seconds, may be left out); `DELETE /faults/jitter` takes it back, and
`DELETE /faults` all of them. Whoever is not on this machine is refused, a web page in a browser on
it too: its requests carry another host, or no JSON.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web

from ai_engine_lab.engine.faults import (
    FAULTS,
    Fault,
    FaultBoard,
    FaultError,
    InjectedFault,
    fault_named,
)

Handler = Callable[[web.Request], Awaitable[web.Response]]
_LOCAL_HOSTS: Final = ("localhost", "127.0.0.1", "::1")


def fault_routes(board: FaultBoard) -> tuple[web.RouteDef, ...]:
    """The routes that show and change a board."""

    async def show(_request: web.Request) -> web.Response:
        return _state(board)

    async def inject(request: web.Request) -> web.Response:
        name, seconds = _wanted(await _json(request))
        board.inject(name, seconds)
        return _state(board)

    async def clear(request: web.Request) -> web.Response:
        name = fault_named(request.match_info["name"]).name
        if not board.clear(name):
            raise FaultError(f"{name} is not on; GET /faults lists those that are")
        return _state(board)

    async def clear_all(_request: web.Request) -> web.Response:
        board.clear_all()
        return _state(board)

    return (
        web.get("/faults", _guarded(show)),
        web.post("/faults", _guarded(inject)),
        web.delete("/faults", _guarded(clear_all)),
        web.delete("/faults/{name}", _guarded(clear)),
    )


def described(fault: Fault, injected: InjectedFault | None, now: float) -> dict[str, Any]:
    """A fault and its state at `now` (loop seconds), in plain JSON types."""
    ends_at = injected.ends_at if injected is not None else None
    return {
        "name": fault.name,
        "title": fault.title,
        "metrics": [f"ai_agent_{metric}" for metric in fault.metrics],
        "factors": list(fault.factors),
        "active": injected is not None,
        "seconds_left": None if ends_at is None else round(max(0.0, ends_at - now), 1),
    }


def _state(board: FaultBoard) -> web.Response:
    now = asyncio.get_running_loop().time()
    on = {injected.fault.name: injected for injected in board.active}
    faults = [described(fault, on.get(fault.name), now) for fault in FAULTS.values()]
    return web.json_response({"faults": faults})


def _guarded(handler: Handler) -> Handler:
    async def guarded(request: web.Request) -> web.Response:
        if not _is_local(request):
            return _refused(
                HTTPStatus.FORBIDDEN,
                "faults are injected from the engine's own machine only: use http://127.0.0.1",
            )
        try:
            return await handler(request)
        except FaultError as error:
            return _refused(HTTPStatus.BAD_REQUEST, str(error))

    return guarded


def _is_local(request: web.Request) -> bool:
    """Whether the request comes from this machine and is meant for it by name."""
    try:
        local = ipaddress.ip_address(request.remote or "").is_loopback
    except ValueError:
        return False
    host = request.host.rpartition(":")[0] if request.host[-1:] != "]" else request.host
    return local and (host or request.host).strip("[]") in _LOCAL_HOSTS


async def _json(request: web.Request) -> Any:
    if request.content_type != "application/json":
        raise FaultError('send JSON, with "Content-Type: application/json"')
    try:
        return await request.json()
    except (ValueError, LookupError, RecursionError):  # no JSON, no known charset, or too deep
        raise FaultError('send JSON such as {"name": "jitter", "for": 180}') from None


def _wanted(body: Any) -> tuple[str, float | None]:
    """The name and the seconds that a request asks for."""
    if not isinstance(body, dict) or not isinstance(body.get("name"), str):
        raise FaultError('name the fault: {"name": "jitter", "for": 180}')
    seconds = body.get("for")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float | None):
        raise FaultError(f'"for" is a number of seconds, e.g. 180, not {seconds!r}')
    return body["name"], seconds


def _refused(status: HTTPStatus, message: str) -> web.Response:
    return web.json_response({"error": message}, status=status)
