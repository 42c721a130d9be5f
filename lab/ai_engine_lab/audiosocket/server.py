"""Listens for AudioSocket on TCP: every connection becomes a call, and harms no other."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final

from ai_engine_lab.audiosocket.connection import (
    READ_BYTES,
    AudioSocketSettings,
    Connection,
    ConnectionEnding,
)
from ai_engine_lab.engine.call_server import CallerSide
from ai_engine_lab.engine.plans import PlannedCall
from ai_engine_lab.engine.reference import ReferenceEngine
from ai_engine_lab.engine.transport import Transport

_log = logging.getLogger(__name__)

Answer = Callable[[PlannedCall, Transport, CallerSide], Awaitable[object]]
"""Has a call, from its start to its end."""


async def take_calls(
    engine: ReferenceEngine, settings: AudioSocketSettings | None = None
) -> AudioSocketServer:
    """Let an engine take calls over AudioSocket, from Asterisk or any client, until it stops.

    Raises:
        OSError: the port is taken.
        RuntimeError: the engine has a server that takes calls already.
    """
    server = AudioSocketServer(engine.answer, engine.in_progress, settings or AudioSocketSettings())
    await engine.take_calls_from(server)
    return server


class AudioSocketServer:
    """Takes connections and lets `answer` have a call on each.

    `in_progress` says whether a call id is taken. `endings` counts how connections ended, those
    included that never became a call.
    """

    audio_transport: Final = "audiosocket"

    def __init__(
        self,
        answer: Answer,
        in_progress: Callable[[str], bool],
        settings: AudioSocketSettings,
    ) -> None:
        self.endings: Counter[str] = Counter()
        self._answer = answer
        self._in_progress = in_progress
        self._settings = settings
        self._server: asyncio.Server | None = None
        self._port = settings.port
        self._open: dict[asyncio.Task[None], Connection] = {}

    @property
    def port(self) -> int:
        """The port it listens on, once started."""
        return self._port

    @property
    def connections(self) -> int:
        """Connections that are open, with a call or not yet."""
        return len(self._open)

    async def start(self) -> None:
        """Listen; raises `OSError` when the port is taken."""
        self._server = await asyncio.start_server(
            self._accept, self._settings.host, self._port, limit=READ_BYTES
        )
        self._port = self._server.sockets[0].getsockname()[1]

    def stop_listening(self) -> None:
        """Take no new connections; calls go on."""
        if self._server is not None:
            self._server.close()

    async def stop(self) -> None:
        """Take no new connections, and close those that are open."""
        self.stop_listening()
        for task in list(self._open):
            task.cancel()
        if self._open:
            await asyncio.wait(list(self._open))
        if self._server is not None:
            await self._server.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(reader, writer, self._settings)
        if len(self._open) >= self._settings.max_connections:
            # At the bound not even a goodbye is waited for.
            connection.end(ConnectionEnding.TOO_MANY)
            writer.transport.abort()
            self._count(ConnectionEnding.TOO_MANY)
            return
        task = asyncio.get_running_loop().create_task(self._serve(connection))
        self._open[task] = connection
        task.add_done_callback(self._forget)

    async def _serve(self, connection: Connection) -> None:
        try:
            await self._have_call(connection)
        except Exception:
            connection.end(ConnectionEnding.FAILED)
            _log.exception("an AudioSocket connection failed")
        finally:
            await connection.close()

    async def _have_call(self, connection: Connection) -> None:
        number = await connection.identify()
        if number is None:
            return
        settings = self._settings
        call_id = settings.call_id(number)
        if self._in_progress(call_id):
            connection.end(ConnectionEnding.DUPLICATE)
            return
        plan = PlannedCall(
            call_id,
            settings.provider,
            settings.scenario,
            settings.max_call_seconds,
            pipeline=settings.pipeline,
        )
        await self._answer(plan, connection, connection.relay)

    def _forget(self, task: asyncio.Task[None]) -> None:
        connection = self._open.pop(task)
        self._count(connection.ending or ConnectionEnding.FAILED)

    def _count(self, ending: ConnectionEnding) -> None:
        self.endings[ending] += 1
        _log.info("an AudioSocket connection ended: %s", ending)
