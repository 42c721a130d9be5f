"""The engine's HTTP side, in the loop that also paces the audio."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

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
        try:
            await web.TCPSite(runner, self._host, self._port).start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner
        self._port = runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop listening."""
        runner, self._runner = self._runner, None
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


async def _close_afterwards(_request: web.Request, response: web.StreamResponse) -> None:
    response.force_close()
    response.headers["Connection"] = "close"
