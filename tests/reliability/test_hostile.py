"""Hostile input: to the reference engine's HTTP port, to settings and to record files.

What garbage on the AudioSocket port comes to is in
``tests/lab/audiosocket/test_hostile.py``; single lines that are no records, and any
bytes around one, are in ``tests/sinks/test_records.py``.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import textwrap
import tracemalloc
import uuid
from pathlib import Path

import pytest
from ai_engine_lab.audiosocket.client import call_engine
from ai_engine_lab.engine import ReferenceEngine
from ai_engine_lab.engine import server as engine_server
from click.testing import CliRunner
from prometheus_client import CollectorRegistry

import ai_engine_quality as aeq
from ai_engine_quality.cli import cli
from ai_engine_quality.cli.output import stored_scores

DEEP = "[" * 200_000
POST = "POST /faults HTTP/1.1\r\nHost: localhost\r\n"


def post(body, kind="application/json"):
    """Return a request to inject a fault."""
    data = body.encode("utf-8", "surrogateescape")
    head = f"{POST}Content-Type: {kind}\r\nContent-Length: {len(data)}\r\n\r\n"
    return head.encode() + data


REQUESTS = {
    "garbage": (b"\x00\xff\x16\x03\x01" * 100 + b"\r\n\r\n", {400}),
    "a TLS hello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xab" * 200, {400}),
    "an endless header": (b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 1_000_000 + b"\r\n\r\n", {400}),
    "many headers": (
        b"GET /metrics HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 50_000 + b"\r\n",
        {200, 400},
    ),
    "an endless path": (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n", {400, 414}),
    "a path out of it": (b"GET /../../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n", {404}),
    "an odd Accept": (b"GET /metrics HTTP/1.1\r\nHost: a\r\nAccept: ;;q=\xff,/\r\n\r\n", {200}),
    "a wrong length": (
        b"POST /faults HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        {400},
    ),
    "deep JSON": (post(DEEP), {400}),
    "a body of 5 MB": (post(json.dumps({"name": "x" * 5_000_000})), {413}),
    "a NaN": (post('{"name": "jitter", "for": NaN}'), {400}),
    "1e999 seconds": (post('{"name": "jitter", "for": 1e999}'), {400}),
    "a huge number": (post('{"name": "jitter", "for": 1' + "0" * 5_000 + "}"), {400}),
    "no UTF-8": (post("\udcff\udcfe"), {400}),
    "an unknown charset": (post("{}", "application/json; charset=klingon"), {400}),
    "a name that is a list": (post('{"name": ["jitter"]}'), {400}),
    "a surrogate": (post('{"name": "\\ud800"}'), {400}),
    "an unknown fault": (b"DELETE /faults/%1b%5B31m HTTP/1.1\r\nHost: localhost\r\n\r\n", {400}),
}


async def asked(port, data):
    """Send bytes to the engine and return the status and the text of what it answers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = b""
    try:
        writer.write(data)
        await writer.drain()
        answer = await asyncio.wait_for(reader.read(1_000_000), 20)
        while more := await asyncio.wait_for(reader.read(1_000_000), 20):
            answer += more
    except ConnectionError:
        pass  # cut off in the middle: what came before it counts
    finally:
        writer.close()
    return int(answer.split()[1]) if answer else None, answer.decode("latin-1")


@pytest.mark.parametrize("what", REQUESTS)
def test_no_request_harms_the_engine(what):
    """Each is answered by the error that it is, or cut off, and afterwards metrics are there."""
    data, statuses = REQUESTS[what]

    async def main():
        engine = ReferenceEngine(
            quality=aeq.QualityMonitor(registry=(registry := CollectorRegistry()), log=False),
            registry=registry,
            port=0,
        )
        await engine.start()
        port = int(engine.url.rpartition(":")[2])
        try:
            status, text = await asked(port, data)
            after, _ = await asked(port, b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
        finally:
            await engine.stop()
        return status, text, after

    status, text, after = asyncio.run(main())
    assert status in {*statuses, None} if len(data) > 50_000 else status in statuses
    assert "Traceback" not in text
    assert "\x1b" not in text
    assert after == 200


SERVER = """
import asyncio, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
import ai_engine_quality as aeq
from ai_engine_lab.audiosocket import AudioSocketSettings, take_calls
from ai_engine_lab.audiosocket.client import call_engine
from ai_engine_lab.engine import ReferenceEngine
from ai_engine_lab.engine import server as engine_server
from prometheus_client import CollectorRegistry

async def main():
    registry = CollectorRegistry()
    quality = aeq.QualityMonitor(registry=registry, log=False)
    engine = ReferenceEngine(quality=quality, registry=registry, port=0)
    await engine.start()
    server = await take_calls(engine, AudioSocketSettings())
    print(engine.port, server.port, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await engine.stop()

asyncio.run(main())
"""


def test_half_requests_silence_neither_metrics_nor_calls():
    """With 400 of them open, and few descriptors, metrics are served and calls are taken."""
    with (
        subprocess.Popen(
            [sys.executable, "-c", SERVER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as engine,
        contextlib.ExitStack() as halves,
    ):
        port, calls = map(int, engine.stdout.readline().split())
        for _ in range(400):
            half = halves.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60))
            half.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\nX: ")
        status, text = asyncio.run(asked(port, b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"))
        assert (status, "ai_agent_calls_active" in text) == (200, True)
        heard = asyncio.run(call_engine("127.0.0.1", calls, call_id=uuid.uuid4(), duration=1.0))
        assert heard.frames
        engine.stdin.close()
        assert engine.wait(60) == 0


def test_who_takes_too_long_is_cut_off(monkeypatch):
    """Half a request is cut off once its time is over and somebody else comes; that one isn't."""
    monkeypatch.setattr(engine_server, "CONNECTION_SECONDS", 0.0)

    async def main():
        registry = CollectorRegistry()
        quality = aeq.QualityMonitor(registry=registry, log=False)
        engine = ReferenceEngine(quality=quality, registry=registry, port=0)
        await engine.start()
        half, writer = await asyncio.open_connection("127.0.0.1", engine.port)
        writer.write(b"GET /metrics HTTP/1.1\r\nX: ")
        try:
            while True:
                status, _ = await asked(engine.port, b"GET /live HTTP/1.1\r\nHost: a\r\n\r\n")
                if half.at_eof() or half.exception():
                    return status
        finally:
            writer.close()
            await engine.stop()

    assert asyncio.run(main()) == 200


class TestRecordFiles:
    def test_a_line_of_1_gb_takes_no_memory(self, tmp_path):
        """Of a file with a line of a gigabyte, a command reads the calls and tells of the line."""
        path = tmp_path / "calls.jsonl"
        self._two_calls_around(path, 1_000_000_000)
        script = """
            import atexit, pathlib, sys
            status = pathlib.Path("/proc/self/status")
            atexit.register(lambda: print(status.read_text(), file=sys.stderr))
            from ai_engine_quality.__main__ import main
            main()
        """
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script), "rescore", str(path), "--policy", "v1"],
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert (done.returncode, "2 calls" in done.stdout) == (0, True), done.stderr
        assert "1 line is no record" in done.stderr
        most = int(re.search(r"VmHWM:\s+(\d+) kB", done.stderr)[1])
        assert most < 400_000, f"{most} kB"

    def _two_calls_around(self, path, size):
        file = aeq.RecordFile(path)
        file(aeq.score(aeq.CallSummary(call_id="1", duration=60.0)))
        file.flush()
        with path.open("r+b") as stream:  # a hole in the file: it takes no room on the disk
            stream.seek(0, os.SEEK_END)
            stream.seek(size, os.SEEK_CUR)
            stream.write(b"\n")
        file(aeq.score(aeq.CallSummary(call_id="2", duration=60.0)))
        file.close()

    def test_millions_of_wrong_lines_take_no_memory(self, tmp_path, capsys):
        """However many lines are no records, one is kept to show, and the others are counted."""
        path = tmp_path / "calls.jsonl"
        path.write_bytes(b"{\n" * 50_000)
        tracemalloc.start()
        try:
            assert list(stored_scores(path)) == []
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert "50000 lines are no records" in capsys.readouterr().err
        assert most < 1_000_000

    @pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig", "latin-1"])
    def test_another_encoding_is_told_or_read(self, tmp_path, encoding):
        """A file that an editor saved in another encoding is no traceback, at worst it is told."""
        path = tmp_path / "calls.jsonl"
        file = aeq.RecordFile(path)
        file(aeq.score(aeq.CallSummary(call_id="ä1", duration=60.0)))
        file.close()
        path.write_bytes(path.read_text().encode(encoding))
        found = list(aeq.read_records(path))
        assert found
        assert all(isinstance(item, aeq.CallScore | aeq.Unreadable) for item in found)


class TestSettings:
    @pytest.mark.parametrize(
        "content",
        [
            b"policy = " + b"[" * 100_000,
            b"[" + b"a." * 10_000 + b"b]",
            b"[policy]\n" * 2,
            b"# " + b"x" * 20_000_000,
            "log = true".encode("utf-16"),
            b"\xef\xbb\xbflog = true",
            b"max_live_calls = " + b"9" * 10_000,
            b'"\\u001b[31mlog" = true',
            b'[costs."\\u001b[2J"]\nper_minute = 1',
        ],
        ids=lambda content: repr(content[:20]),
    )
    def test_a_hostile_file_is_a_settings_error_of_one_line(self, tmp_path, content):
        """Deep, endless, or in another encoding: one error that a terminal can show."""
        path = tmp_path / "quality.toml"
        path.write_bytes(content)
        with pytest.raises(aeq.SettingsError) as error:
            aeq.load_settings(path, {})
        assert str(error.value).isprintable()
        assert len(str(error.value)) < 2_000
        result = CliRunner().invoke(cli, ["rescore", "none.jsonl", "--policy", str(path)])
        assert result.exit_code == 1
        assert "\x1b" not in result.output

    @pytest.mark.parametrize("dot", [".", " . ", '."".'])
    def test_a_key_of_thousands_of_parts_is_not_parsed(self, tmp_path, monkeypatch, dot):
        """80 kB of one key take a parser a minute: refused before, as a line or in a variable."""

        def loads(_):
            raise AssertionError("parsed")

        key = dot.join("a" * (80_000 // (len(dot) + 1)))
        path = tmp_path / "quality.toml"
        path.write_text(f"{key} = 1")
        monkeypatch.setattr("ai_engine_quality.settings.tomllib.loads", loads)
        with pytest.raises(aeq.SettingsError, match="dots"):
            aeq.load_settings(path, {})
        with pytest.raises(aeq.SettingsError, match="EXPIRE_AFTER"):
            aeq.load_settings(None, {"AI_ENGINE_QUALITY_EXPIRE_AFTER": f"1\n{key} = 1"})

    def test_an_endless_device_is_not_read_to_its_end(self):
        """A settings file that never ends is refused after its first megabytes."""
        with pytest.raises(aeq.SettingsError, match="longer than"):
            aeq.load_settings(Path("/dev/zero"), {})
