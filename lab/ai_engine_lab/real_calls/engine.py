"""The unedited engine: its environment, its configuration, and its process.

The engine's tree is copied into the output folder as it is, since it reads its configuration from
a fixed place in its own tree; only that configuration is this project's. It gets an environment of
its own, with the requirements of the engine's own list that calls need, and this library.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ai_engine_lab.real_calls.composed import Composed
from ai_engine_lab.real_calls.scenario import Provider, Setting, Transport

NEEDED: Final = (
    "aiohttp", "jinja2", "numpy", "prometheus-client", "pydantic", "pydantic_settings", "pyyaml",
    "structlog", "tenacity", "websockets",
)  # fmt: skip
"""What the engine imports to run a call; its tools and its local models aren't needed."""

OPTIONAL: Final = ("webrtcvad",)
"""Compiled: the engine goes on without where there is no compiler."""

COPIED: Final = ("main.py", "src", "config")
NEWEST_WITH_AUDIOOP: Final = (3, 12)

RECORDS_PATH: Final = "AI_ENGINE_QUALITY_RECORDS_PATH"
APP: Final = "asterisk-ai-voice-agent"
STOP_SECONDS: Final = 20.0
START_SECONDS: Final = 60.0


class EngineError(RuntimeError):
    """The engine can't be prepared or started; the message names the fix."""


# --- its environment ------------------------------------------------------------------------------


def prepare_environment(ava_root: Path, folder: Path, project: Path | None) -> Path:
    """Make the engine's own virtual environment, once; return its Python.

    Args:
        ava_root: The engine's tree.
        folder: Where the environment is made.
        project: This project's checkout, whose library is installed as it is; None installs none,
            as the engine's own image has none.

    Raises:
        EngineError: it can't be made.
    """
    python = folder / "bin" / "python"
    done = folder / ".prepared"
    wanted = "\n".join([*_requirements(ava_root, NEEDED), str(project or "")])
    if python.exists() and done.exists() and done.read_text() == wanted:
        return python
    base = _interpreter()
    _run([base, "-m", "venv", str(folder)], "make its environment")
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*pip, *_requirements(ava_root, NEEDED)], "install its requirements")
    if project is not None:
        _run([*pip, "--editable", str(project)], "install the library next to it")
    with contextlib.suppress(EngineError):
        _run([*pip, "setuptools<80", *_requirements(ava_root, OPTIONAL)], "install the optional")
    done.write_text(wanted)
    return python


def _interpreter() -> str:
    """Return a Python that still has audioop, which the engine uses."""
    if sys.version_info[:2] <= NEWEST_WITH_AUDIOOP:
        return sys.executable
    for name in ("python3.12", "python3.11"):
        if found := shutil.which(name):
            return found
    raise EngineError("the engine needs Python 3.11 or 3.12 (audioop); install python3.12")


def _requirements(ava_root: Path, names: Iterable[str]) -> list[str]:
    """Return the lines of the engine's own list that are about these packages."""
    path = ava_root / "requirements.txt"
    if not path.exists():
        raise EngineError(f"{path} isn't there; give the engine's tree as --ava-root")
    wanted = {_normalised(name) for name in names}
    found: dict[str, str] = {}
    for line in path.read_text().splitlines():
        requirement = line.split("#")[0].strip()
        name = _normalised(re.split(r"[<>=!~\[; ]", requirement, maxsplit=1)[0])
        if name in wanted:
            found[name] = requirement
    return [found.get(name, name) for name in sorted(wanted)]


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _run(command: list[str], purpose: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # ours
    if done.returncode:
        raise EngineError(f"could not {purpose}: {' '.join(command)}\n{done.stderr.strip()}")


# --- its configuration ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Places:
    """Addresses on the loopback interface that the engine and the stand-ins share."""

    ari: int
    deepgram_url: str
    openai_url: str
    audiosocket: int
    health: int
    rtp_first: int
    rtp_last: int


def configuration(
    provider: Provider, transport: Transport, places: Places, setting: Setting = ""
) -> dict[str, Any]:
    """Return the engine's configuration: that of its golden files, with addresses of our own.

    Args:
        provider: The only one.
        transport: By which the caller's audio comes.
        places: The stand-ins' addresses, and the engine's.
        setting: How it differs.
    """
    profile = "lab_24k" if provider == "openai_realtime" else "lab_ulaw_8k"
    agent = {
        "greeting": "Hello, how can I help you today?",
        "prompt": "You are a helpful assistant.",
        "provider": provider,
        "profile": profile,
    }
    return {
        "config_version": 6,
        "default_provider": provider,
        "active_pipeline": "none",
        "pipelines": {},
        "audio_transport": transport,
        "downstream_mode": "stream",
        "asterisk": {"app_name": APP},
        "audiosocket": {"format": "slin", "host": "127.0.0.1", "port": places.audiosocket},
        "external_media": {
            "codec": "ulaw",
            "direction": "both",
            "rtp_host": "127.0.0.1",
            "rtp_port": places.rtp_first,
            "port_range": f"{places.rtp_first}:{places.rtp_last}",
        },
        "contexts": {"default": agent},
        "llm": {"initial_greeting": agent["greeting"], "prompt": agent["prompt"]},
        "barge_in": {
            "enabled": setting != "no-barge-in",
            "energy_threshold": 700,
            "initial_protection_ms": 100,
            "min_ms": 150,
            "post_tts_end_protection_ms": 100,
        },
        "streaming": {
            "chunk_size_ms": 20,
            "connection_timeout_ms": 120_000,
            "continuous_stream": True,
            "empty_backoff_ticks_max": 5,
            "fallback_timeout_ms": 8_000,
            "greeting_min_start_ms": 40,
            "jitter_buffer_ms": 950,
            "keepalive_interval_ms": 5_000,
            "low_watermark_ms": 80,
            "min_start_ms": 120,
            "normalizer": {"enabled": True, "max_gain_db": 18.0, "target_rms": 1400},
            "provider_grace_ms": 500,
            "sample_rate": 8_000,
        },
        "profiles": _profiles(profile, transport),
        "providers": {provider: _provider(provider, places, pacer=setting == "pacer")},
    }


def _profiles(chosen: str, transport: Transport) -> dict[str, Any]:
    wide = chosen == "lab_24k"
    encoding, rate = ("pcm16", 24_000) if wide else ("mulaw", 8_000)
    wire = "slin" if transport == "audiosocket" else "ulaw"
    return {
        "default": chosen,
        chosen: {
            "chunk_ms": 20 if wide else "auto",
            "idle_cutoff_ms": 0 if wide else 800,
            "internal_rate_hz": rate,
            "provider_pref": {
                "input_encoding": encoding,
                "input_sample_rate_hz": rate,
                "output_encoding": encoding,
                "output_sample_rate_hz": rate,
            },
            "transport_out": {"encoding": wire, "sample_rate_hz": 8_000},
        },
    }


def _provider(provider: Provider, places: Places, *, pacer: bool) -> dict[str, Any]:
    common = {"enabled": True, "greeting": "Hello, how can I help you today?"}
    if provider == "deepgram":
        return common | {
            "api_key": "lab",
            "voice_agent_base_url": places.deepgram_url,
            "continuous_input": True,
            "model": "nova-3",
            "tts_model": "aura-2-thalia-en",
            "input_encoding": "mulaw",
            "input_sample_rate_hz": 8_000,
            "output_encoding": "mulaw",
            "output_sample_rate_hz": 8_000,
        }
    return common | {
        "api_key": "lab",
        "base_url": places.openai_url,
        "api_version": "ga",
        "model": "gpt-realtime",
        "voice": "alloy",
        "egress_pacer_enabled": pacer,
        "egress_pacer_warmup_ms": 320,
        "input_encoding": "ulaw",
        "input_sample_rate_hz": 8_000,
        "provider_input_encoding": "linear16",
        "provider_input_sample_rate_hz": 24_000,
        "output_encoding": "linear16",
        "output_sample_rate_hz": 24_000,
        "target_encoding": "mulaw",
        "target_sample_rate_hz": 8_000,
        "response_modalities": ["audio", "text"],
        "turn_detection": {
            "type": "server_vad",
            "create_response": True,
            "prefix_padding_ms": 200,
            "silence_duration_ms": 500,
            "threshold": 0.5,
        },
    }


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens to now, by TCP."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


# --- its process ----------------------------------------------------------------------------------


@dataclass(slots=True)
class CpuTime:
    """Seconds of one core that a process has used."""

    user: float
    system: float

    @property
    def total(self) -> float:
        """Both together."""
        return self.user + self.system


@dataclass(slots=True)
class EngineProcess:
    """One engine, with or without the library."""

    ava_root: Path
    python: Path
    folder: Path
    """Where it lives while it runs: a copy of its tree, its data, its log, the record file."""
    with_library: bool = True
    composed: Composed | None = None
    """How it is started; None starts it by ``run``."""
    through: tuple[str, ...] = ()
    """A program, and its arguments, that is given the engine's own to run: one that measures it."""
    process: asyncio.subprocess.Process | None = None
    _log: Any = field(default=None, repr=False)

    @property
    def records(self) -> Path:
        """The library's record file."""
        if self.composed is not None:
            variables = self.composed.variables(self.folder / "tree", self.folder / "data")
            if RECORDS_PATH in variables:
                return Path(variables[RECORDS_PATH])
        return self.folder / "records.jsonl"

    @property
    def log(self) -> Path:
        """What the engine printed."""
        return self.folder / "engine.log"

    @property
    def pid(self) -> int:
        """The process's id."""
        if self.process is None:
            raise EngineError("the engine isn't running; start it first")
        return self.process.pid

    async def start(self, config: dict[str, Any], places: Places) -> None:
        """Copy the tree, write the configuration, and start it."""
        tree = self._copy_tree()
        (tree / "config" / "ai-agent.yaml").write_text(json.dumps(config, indent=1))
        command = [str(self.python), *self.through, "main.py"]
        if self.composed is not None:
            command = [*self.composed.command]
        elif self.with_library:
            command = [str(self.python), "-m", "ai_engine_quality", "run", "--", *command]
        self._log = self.log.open("wb")
        self.process = await asyncio.create_subprocess_exec(
            *command, cwd=tree, env=self._environment(places), stdout=self._log, stderr=self._log
        )

    def _copy_tree(self) -> Path:
        tree = self.folder / "tree"
        shutil.rmtree(self.folder, ignore_errors=True)
        tree.mkdir(parents=True)
        for name in COPIED:
            source = self.ava_root / name
            if source.is_dir():
                shutil.copytree(source, tree / name)
            elif source.exists():
                shutil.copy2(source, tree / name)
            else:
                raise EngineError(f"{source} isn't there; give the engine's tree as --ava-root")
        for name, source in (self.composed.files() if self.composed else {}).items():
            shutil.copy2(source, tree / name)
        shutil.rmtree(tree / "config" / "contexts", ignore_errors=True)
        (tree / "config" / "ai-agent.local.yaml").unlink(missing_ok=True)
        return tree

    def _environment(self, places: Places) -> dict[str, str]:
        data = self.folder / "data"
        data.mkdir()
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        if self.composed is not None:
            kept |= self.composed.variables(self.folder / "tree", data)
            kept["PATH"] = f"{self.python.parent}:{kept.get('PATH', os.defpath)}"
        return kept | {
            "ASTERISK_HOST": "127.0.0.1",
            "ASTERISK_ARI_PORT": str(places.ari),
            "ASTERISK_ARI_USERNAME": "lab",
            "ASTERISK_ARI_PASSWORD": "lab",
            "DEEPGRAM_API_KEY": "lab",
            "OPENAI_API_KEY": "lab",
            "HEALTH_BIND_HOST": "127.0.0.1",
            "HEALTH_BIND_PORT": str(places.health),
            "AGENTS_DB_PATH": str(data / "agents.db"),
            "CALL_HISTORY_DB_PATH": str(data / "call_history.db"),
            "VICIDIAL_DB_PATH": str(data / "vicidial.db"),
            "AST_MEDIA_DIR": str(data),
            RECORDS_PATH: str(self.records),
            "LOG_FORMAT": "json",
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def cpu_time(self) -> CpuTime:
        """Return what it has used so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        ticks = os.sysconf("SC_CLK_TCK")
        return CpuTime(int(fields[11]) / ticks, int(fields[12]) / ticks)

    def waited(self) -> float:
        """Return for how many seconds so far it could have run, and the machine was too busy."""
        return int(Path(f"/proc/{self.pid}/schedstat").read_text().split()[1]) / 1e9

    async def freeze(self, seconds: float) -> None:
        """Stop the process for a while, as a busy or swapping machine does."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            os.kill(self.pid, signal.SIGCONT)

    def check(self) -> None:
        """Raise where it has ended by itself.

        Raises:
            EngineError: with the end of its log.
        """
        if self.process is not None and self.process.returncode is not None:
            tail = self.log.read_text(errors="replace").splitlines()[-15:]
            raise EngineError(f"the engine ended by itself; see {self.log}:\n" + "\n".join(tail))

    async def stop(self) -> None:
        """End it as an operator does, by SIGTERM."""
        if self.process is None:
            return
        if self.process.returncode is None:
            self.process.terminate()
            try:
                async with asyncio.timeout(STOP_SECONDS):
                    await self.process.wait()
            except TimeoutError:
                self.process.kill()
                await self.process.wait()
        if self._log is not None:
            self._log.close()
        shutil.rmtree(self.folder / "tree", ignore_errors=True)
