"""A stand-in for Asterisk: its REST interface, its events, and the media channels.

It speaks what the engine asks of ARI (docs.asterisk.org, "Asterisk REST Interface"): channels,
bridges, variables, external media, playbacks; and sends StasisStart, StasisEnd, ChannelDestroyed,
ChannelVarset and PlaybackFinished by WebSocket. What it doesn't know is answered with 404 and
listed in :attr:`Asterisk.unknown`.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import WSMsgType, web

from ai_engine_lab.real_calls.caller import Caller
from ai_engine_lab.real_calls.lines import AudioSocketLine, Line, RtpLine

VERSION: Final = "22.8.0"
PLAYED_SECONDS: Final = 2.0
"""How long any file is taken to play: nobody here has the engine's media folder mounted."""


@dataclass(slots=True)
class Channel:
    """A channel: a caller's, or one that carries media to the engine."""

    id: str
    name: str
    caller: Caller | None = None
    line: Line | None = None
    state: str = "Ring"
    gone: bool = False
    variables: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return it as ARI shows a channel."""
        return {
            "id": self.id,
            "name": self.name,
            "state": self.state,
            "protocol_id": "",
            "caller": {"name": "", "number": "100"},
            "connected": {"name": "", "number": ""},
            "accountcode": "",
            "dialplan": {"context": "default", "exten": "s", "priority": 1, "app_name": "Stasis"},
            "creationtime": _timestamp(),
            "language": "en",
        }


def _timestamp() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000+0000", time.gmtime())


class Asterisk:
    """The stand-in. One at a time serves one engine."""

    def __init__(self) -> None:
        self.unknown: list[str] = []
        """Requests that it has no answer to."""
        self.ready = asyncio.Event()
        """Set once the engine listens to its events."""
        self.channels: dict[str, Channel] = {}
        self.bridges: dict[str, list[str]] = {}
        self.port = 0
        self._app_name = ""
        self._sockets: set[web.WebSocketResponse] = set()
        self._numbers = itertools.count(1)
        self._tasks: set[asyncio.Task[None]] = set()
        self._runner: web.AppRunner | None = None

    # --- life -----------------------------------------------------------------------------------

    async def start(self) -> None:
        """Listen on a free port of the loopback interface."""
        app = web.Application()
        app.router.add_get("/ari/events", self._events)
        app.router.add_route("*", "/ari/{path:.*}", self._request)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Close every line and every connection."""
        for channel in list(self.channels.values()):
            await self._close_line(channel)
        for task in list(self._tasks):
            task.cancel()
        for socket in list(self._sockets):
            with contextlib.suppress(Exception):
                await socket.close()
        if self._runner is not None:
            await self._runner.cleanup()

    # --- calls ----------------------------------------------------------------------------------

    async def place(self, caller: Caller) -> Channel:
        """Let a call enter the engine's Stasis application."""
        channel = Channel(caller.recording.call_id, "PJSIP/caller-00000001", caller)
        self.channels[channel.id] = channel
        await self._stasis_start(channel)
        return channel

    async def hang_up(self, channel: Channel, by: str) -> None:
        """End a call as Asterisk does: its quality, StasisEnd, ChannelDestroyed; and its media."""
        if channel.gone:
            return
        channel.gone = True
        if channel.caller is not None:
            channel.caller.end(by)
        await self._close_line(channel)
        if channel.caller is not None:  # of media channels there is none: no RTCP
            await self._set_quality(channel, channel.caller)
        await self.send({"type": "StasisEnd", "channel": channel.to_json()})
        await self.send(
            {
                "type": "ChannelDestroyed",
                "cause": 16,
                "cause_txt": "Normal Clearing",
                "channel": channel.to_json(),
            }
        )

    async def _set_quality(self, channel: Channel, caller: Caller) -> None:
        """Tell what the phone has reported, as Asterisk does when a call ends."""
        await self.send(
            {
                "type": "ChannelVarset",
                "variable": "RTPAUDIOQOS",
                "value": caller.phone.quality(),
                "channel": channel.to_json(),
            }
        )

    async def send(self, event: dict[str, Any]) -> None:
        """Send an event to the engine."""
        event = {"application": self._app_name, "timestamp": _timestamp(), **event}
        for socket in list(self._sockets):
            with contextlib.suppress(ConnectionError, RuntimeError):
                await socket.send_json(event)

    async def _stasis_start(self, channel: Channel) -> None:
        await self.send({"type": "StasisStart", "args": [], "channel": channel.to_json()})

    async def _close_line(self, channel: Channel) -> None:
        if channel.line is not None:
            await channel.line.close()

    def _spawn(self, work: Awaitable[None]) -> None:
        async def run() -> None:
            await work

        task = asyncio.create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- events by WebSocket --------------------------------------------------------------------

    async def _events(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self._app_name = request.query.get("app", "")
        self._sockets.add(socket)
        self.ready.set()
        try:
            async for message in socket:
                if message.type is WSMsgType.ERROR:
                    break
        finally:
            self._sockets.discard(socket)
        return socket

    # --- the REST interface ---------------------------------------------------------------------

    async def _request(self, request: web.Request) -> web.Response:
        parts = tuple(request.match_info["path"].strip("/").split("/"))
        body: dict[str, Any] = {}
        if request.can_read_body:
            with contextlib.suppress(ValueError):
                body = await request.json() or {}
        arguments = {**body, **request.query}
        for (method, pattern), handler in self._routes().items():
            if method == request.method and _matches(pattern, parts):
                return await handler(parts, arguments)
        self.unknown.append(f"{request.method} {request.path}")
        return _not_found("no such resource here")

    def _routes(self) -> dict[tuple[str, str], _Handler]:
        return {
            ("GET", "asterisk/info"): self._info,
            ("GET", "channels"): self._list_channels,
            ("POST", "channels"): self._originate,
            ("POST", "channels/externalMedia"): self._external_media,
            ("GET", "channels/*"): self._show_channel,
            ("DELETE", "channels/*"): self._delete_channel,
            ("POST", "channels/*/answer"): self._answer,
            ("GET", "channels/*/variable"): self._get_variable,
            ("POST", "channels/*/variable"): self._set_variable,
            ("POST", "channels/*/play"): self._play,
            ("POST", "channels/*/ring"): self._accept,
            ("DELETE", "channels/*/ring"): self._accept,
            ("POST", "bridges"): self._create_bridge,
            ("DELETE", "bridges/*"): self._delete_bridge,
            ("POST", "bridges/*/addChannel"): self._add_channel,
            ("POST", "bridges/*/removeChannel"): self._accept,
            ("POST", "bridges/*/play"): self._play,
            ("DELETE", "playbacks/*"): self._accept,
        }

    async def _info(self, _: _Parts, __: _Arguments) -> web.Response:
        return web.json_response({"system": {"version": VERSION, "entity_id": "lab"}})

    async def _accept(self, _: _Parts, __: _Arguments) -> web.Response:
        return web.Response(status=204)

    async def _list_channels(self, _: _Parts, __: _Arguments) -> web.Response:
        live = [channel.to_json() for channel in self.channels.values() if not channel.gone]
        return web.json_response(live)

    async def _show_channel(self, parts: _Parts, _: _Arguments) -> web.Response:
        channel = self._live(parts[1])
        return web.json_response(channel.to_json()) if channel else _not_found("Channel not found")

    async def _answer(self, parts: _Parts, _: _Arguments) -> web.Response:
        channel = self._live(parts[1])
        if channel is None:
            return _not_found("Channel not found")
        channel.state = "Up"
        return web.Response(status=204)

    async def _delete_channel(self, parts: _Parts, _: _Arguments) -> web.Response:
        channel = self._live(parts[1])
        if channel is None:
            return _not_found("Channel not found")
        await self.hang_up(channel, by="engine")
        return web.Response(status=204)

    async def _get_variable(self, parts: _Parts, arguments: _Arguments) -> web.Response:
        channel = self._live(parts[1])
        value = channel and channel.variables.get(str(arguments.get("variable")))
        if value is None:
            return _not_found("Provided variable was not found")
        return web.json_response({"value": value})

    async def _set_variable(self, parts: _Parts, arguments: _Arguments) -> web.Response:
        channel = self._live(parts[1])
        if channel is None:
            return _not_found("Channel not found")
        channel.variables[str(arguments.get("variable"))] = str(arguments.get("value", ""))
        return web.Response(status=204)

    async def _create_bridge(self, _: _Parts, arguments: _Arguments) -> web.Response:
        bridge = str(uuid.uuid4())
        self.bridges[bridge] = []
        kind = arguments.get("type", "mixing")
        return web.json_response({"id": bridge, "bridge_type": kind, "channels": []})

    async def _delete_bridge(self, parts: _Parts, _: _Arguments) -> web.Response:
        if self.bridges.pop(parts[1], None) is None:
            return _not_found("Bridge not found")
        return web.Response(status=204)

    async def _add_channel(self, parts: _Parts, arguments: _Arguments) -> web.Response:
        channel = self._live(str(arguments.get("channel")))
        members = self.bridges.get(parts[1])
        if channel is None or members is None:
            return _not_found("Channel or bridge not found")
        members.append(channel.id)
        bridged = [self.channels[member] for member in members]
        caller = next((member.caller for member in bridged if member.caller), None)
        for member in bridged:
            if member.line is not None and caller is not None:
                member.line.bridge(caller)
        return web.Response(status=204)

    async def _play(self, parts: _Parts, arguments: _Arguments) -> web.Response:
        playback = str(arguments.get("playbackId") or uuid.uuid4())
        uri = f"{parts[0][:-1]}:{parts[1]}"
        shown = {"id": playback, "media_uri": arguments.get("media", ""), "target_uri": uri}
        for channel in self._callers_at(parts):
            channel.recording.note(time.monotonic(), f"file played: {shown['media_uri']}")
        self._spawn(self._finish_playback({**shown, "state": "done"}))
        return web.json_response({**shown, "state": "queued"}, status=201)

    def _callers_at(self, parts: _Parts) -> list[Caller]:
        members = [parts[1]] if parts[0] == "channels" else self.bridges.get(parts[1], [])
        channels = [self.channels[member] for member in members if member in self.channels]
        return [channel.caller for channel in channels if channel.caller]

    async def _finish_playback(self, playback: dict[str, Any]) -> None:
        await asyncio.sleep(PLAYED_SECONDS)
        await self.send({"type": "PlaybackFinished", "playback": playback})

    # --- media channels -------------------------------------------------------------------------

    async def _originate(self, __: _Parts, arguments: _Arguments) -> web.Response:
        technology, _, rest = str(arguments.get("endpoint", "")).partition("/")
        if technology != "AudioSocket":
            return _not_found(f"no {technology} endpoints here")
        address, identity, *_ = rest.split("/")
        host, _, port = address.rpartition(":")
        channel = self._media_channel(f"AudioSocket/{address}-{identity}")
        line = AudioSocketLine(host, int(port), uuid.UUID(identity))
        line.on_closed = lambda: self._spawn(self.hang_up(channel, by="engine"))
        channel.line = line
        self._spawn(self._connect(channel, line))
        return web.json_response(channel.to_json())

    async def _external_media(self, __: _Parts, arguments: _Arguments) -> web.Response:
        host, _, port = str(arguments.get("external_host", "")).rpartition(":")
        line = RtpLine(host, int(port))
        channel = self._media_channel(f"UnicastRTP/{host}:{port}-0x{next(self._numbers):08x}")
        channel.line = line
        self._spawn(self._connect(channel, line))
        return web.json_response(channel.to_json())

    def _media_channel(self, name: str) -> Channel:
        channel = Channel(f"{int(time.time())}.9{next(self._numbers):05d}", name, state="Up")
        self.channels[channel.id] = channel
        return channel

    async def _connect(self, channel: Channel, line: Line) -> None:
        try:
            await line.open()
        except OSError:
            await self.hang_up(channel, by="engine")
            return
        await self._stasis_start(channel)

    def _live(self, channel_id: str) -> Channel | None:
        channel = self.channels.get(channel_id)
        return channel if channel and not channel.gone else None


_Parts = tuple[str, ...]
_Arguments = dict[str, Any]
_Handler = Callable[[_Parts, _Arguments], Awaitable[web.Response]]


def _matches(pattern: str, parts: _Parts) -> bool:
    expected = pattern.split("/")
    return len(expected) == len(parts) and all(
        want in ("*", got) for want, got in zip(expected, parts, strict=True)
    )


def _not_found(message: str) -> web.Response:
    return web.json_response({"message": message}, status=404)
