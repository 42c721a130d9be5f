"""The engine's HTTP side, in the loop that also paces the audio."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

MAX_CONNECTIONS: Final = 64
"""Beyond these the oldest one is cut off: each has one request, which takes milliseconds."""

CONNECTION_SECONDS: Final = 30.0
"""Real ones, whatever time the loop keeps: who takes longer to ask, or to read, is cut off."""

BACKLOG: Final = 32
"""So many connections are accepted at once at most, before any of them is served."""

Health = Callable[[], Mapping[str, object]]


class MetricsServer:
    """Serves a registry and the engine's state; port 0 takes any free port."""

    def __init__(
        self,
        registry: CollectorRegistry,
        health: Health,
        ready: Callable[[], bool],
        host: str,
        port: int,
        *,
        more_routes: Iterable[web.AbstractRouteDef] = (),
    ) -> None:
        self._registry = registry
        self._health = health
        self._ready = ready
        self._host = host
        self._port = port
        self._more_routes = tuple(more_routes)
        self._runner: web.AppRunner | None = None
        self._listening: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """The port it listens on, once started."""
        return self._port

    @property
    def url(self) -> str:
        """Where it is, e.g. `http://127.0.0.1:15000`."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    async def start(self) -> None:
        """Listen, if it doesn't; raises `OSError` when the port is taken."""
        if self._runner is not None:
            return
        # No idle connections: their timers would run in the loop's time, and where that flies they
        # would close a connection before its client has said a word.
        runner = web.AppRunner(
            self._app(), access_log=None, handle_signals=False, keepalive_timeout=0
        )
        await runner.setup()
        server = runner.server
        assert server is not None, "set up"  # noqa: S101  # for the type checker
        try:
            listening = await asyncio.get_running_loop().create_server(
                _Connections(server), self._host, self._port, backlog=BACKLOG
            )
        except OSError:
            await runner.cleanup()
            raise
        self._runner, self._listening = runner, listening
        self._port = listening.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening."""
        runner, self._runner = self._runner, None
        if self._listening is not None:
            self._listening.close()
        if runner is not None:
            await runner.cleanup()

    def _app(self) -> web.Application:
        app = web.Application()
        app.on_response_prepare.append(_close_afterwards)
        app.add_routes(
            [
                web.get("/metrics", self._get_metrics),
                web.get("/health", self._get_health),
                web.get("/ready", self._get_ready),
                web.get("/live", self._get_live),
                *self._more_routes,
            ]
        )
        return app

    async def _get_metrics(self, request: web.Request) -> web.Response:
        encoder, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encoder(self._registry), headers={"Content-Type": content_type})

    async def _get_health(self, _request: web.Request) -> web.Response:
        return web.json_response(dict(self._health()))

    async def _get_ready(self, _request: web.Request) -> web.Response:
        ready = self._ready()
        return web.json_response({"ready": ready}, status=200 if ready else 503)

    async def _get_live(self, _request: web.Request) -> web.Response:
        return web.json_response({"live": True})


class _Connections:
    """Makes a connection's protocol; whoever stays too long, or is one too many, is cut off.

    aiohttp bounds neither, so that half a request each on some hundred connections would leave no
    file descriptor to anybody else. It is looked after whenever somebody new comes, since no timer
    of this loop would tell real time.
    """

    def __init__(self, server: web.Server) -> None:
        self._server = server
        self._since: dict[web.RequestHandler, float] = {}

    def __call__(self) -> asyncio.Protocol:
        now = time.monotonic()
        # As they were made, so that the oldest comes first.
        connected = self._server.connections
        self._since = {each: self._since.get(each, now) for each in connected}
        late = {each for each, since in self._since.items() if now - since > CONNECTION_SECONDS}
        too_many = connected[: max(0, len(connected) - MAX_CONNECTIONS + 1)]
        for each in (*late, *too_many):
            if each.transport is not None:
                each.transport.abort()
        return self._server()


async def _close_afterwards(_request: web.Request, response: web.StreamResponse) -> None:
    response.force_close()
    response.headers["Connection"] = "close"
