"""A real Asterisk in the place of the stand-in: it is given a configuration, started and asked.

Callers are SIP phones (:mod:`sip`), which reach the engine's Stasis application by the extension
``s``. All else is between Asterisk and the engine: bridges, AudioSocket, external media, RTCP.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path
from typing import Any, Final

import aiohttp

from ai_engine_lab.real_calls.asterisk import Channel
from ai_engine_lab.real_calls.caller import Caller
from ai_engine_lab.real_calls.engine import APP, EngineError, free_ports
from ai_engine_lab.real_calls.sip import HOST, SipPhone

START_SECONDS: Final = 30.0
LOOK: Final = 0.2
USER: Final = "lab"
PASSWORD: Final = "lab"  # noqa: S105  # on the loopback interface, for some minutes
DIRECTORIES: Final = ("varlib", "db", "run", "log", "spool")
"""Of Asterisk's, those into which it writes: all in one folder of the rig's."""


def configuration(folder: Path, ari: int, sip: int, rtp: int) -> dict[str, str]:
    """Return Asterisk's files, by name.

    Args:
        folder: Where it may write.
        ari: The port of its REST interface.
        sip: Its port for SIP, by UDP.
        rtp: The first port of its calls' audio.
    """
    places = "\n".join(f"ast{name}dir => {folder}" for name in DIRECTORIES)
    return {
        "asterisk.conf": f"[directories]\nastetcdir => {folder}\n{places}\n",
        "modules.conf": "[modules]\nautoload = yes\n",
        "logger.conf": "[general]\n[logfiles]\nfull => notice,warning,error\n",
        "http.conf": f"[general]\nenabled = yes\nbindaddr = {HOST}\nbindport = {ari}\n",
        "ari.conf": f"[general]\nenabled = yes\n[{USER}]\ntype = user\npassword = {PASSWORD}\n",
        "rtp.conf": f"[general]\nrtpstart = {rtp}\nrtpend = {rtp + 400}\n",
        "pjsip.conf": (
            f"[udp]\ntype = transport\nprotocol = udp\nbind = {HOST}:{sip}\n"
            "[anonymous]\ntype = endpoint\ncontext = default\ndisallow = all\nallow = ulaw\n"
            "direct_media = no\nrtp_symmetric = yes\n"
        ),
        "extensions.conf": (
            f"[default]\nexten => s,1,Answer()\n same => n,Stasis({APP})\n same => n,Hangup()\n"
        ),
        **dict.fromkeys(("stasis.conf", "features.conf", "indications.conf", "acl.conf"), ""),
    }


class RealAsterisk:
    """Asterisk, as its own process."""

    def __init__(self, program: Path, folder: Path) -> None:
        self.unknown: list[str] = []
        """Requests that it has no answer to: none are known of a real one."""
        self.ready = asyncio.Event()
        """Set once the engine listens to its events."""
        self.version = ""
        """As it says itself, once it is there."""
        self.port, self._sip, self._rtp = free_ports(3)
        self._program, self._folder = program, folder
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None
        self._http: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Write its configuration, start it, and wait until it answers.

        Raises:
            EngineError: it doesn't.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        rtp = min(self._rtp, 65_000)
        for name, text in configuration(self._folder, self.port, self._sip, rtp).items():
            (self._folder / name).write_text(text)
        config = self._folder / "asterisk.conf"
        with (self._folder / "printed.log").open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                str(self._program), "-f", "-C", str(config), stdout=log, stderr=log
            )
        self._http = aiohttp.ClientSession(
            headers={"Authorization": aiohttp.encode_basic_auth(USER, PASSWORD)}
        )
        deadline = time.monotonic() + START_SECONDS
        while (info := await self._get("asterisk/info")) is None:
            if self._process.returncode is not None or time.monotonic() > deadline:
                raise EngineError(f"Asterisk did not start; see {self._folder}")
            await asyncio.sleep(LOOK)
        self.version = str(info["system"]["version"])
        self._watch = asyncio.create_task(self._until_the_engine_listens())

    async def stop(self) -> None:
        """End it."""
        if self._watch is not None:
            self._watch.cancel()
        if self._http is not None:
            await self._http.close()
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            await self._process.wait()

    async def place(self, caller: Caller) -> Channel:
        """Let a caller's phone call; one at a time, since the new channel is known by that."""
        channel = Channel("", "", caller)
        phone = SipPhone(caller, self._sip, lambda: self._hung_up(channel))
        before = await self._phones()
        await phone.open()
        (channel.id,) = await self._phones() - before
        caller.recording.call_id = channel.id
        channel.line = phone
        phone.bridge(caller)
        return channel

    def _hung_up(self, channel: Channel) -> None:
        task = asyncio.create_task(self.hang_up(channel, by="engine"))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def hang_up(self, channel: Channel, by: str) -> None:
        """Take note of a call's end; where it is the caller's, let the phone hang up."""
        if channel.gone or channel.caller is None or channel.line is None:
            return
        channel.gone = True
        channel.caller.end(by)
        await channel.line.close()

    async def _phones(self) -> set[str]:
        """Return the ids of all phones' channels."""
        channels = await self._get("channels") or []
        return {one["id"] for one in channels if one["name"].startswith("PJSIP/")}

    async def _until_the_engine_listens(self) -> None:
        while await self._get(f"applications/{APP}") is None:  # noqa: ASYNC110  # no event of ours
            await asyncio.sleep(LOOK)
        self.ready.set()

    async def _get(self, resource: str) -> Any:
        """Return what ARI answers; None where it has nothing, or isn't there yet."""
        if self._http is None:
            return None
        with contextlib.suppress(aiohttp.ClientError):
            async with self._http.get(f"http://{HOST}:{self.port}/ari/{resource}") as answer:
                return await answer.json() if answer.status == 200 else None
        return None
