"""The record file: a line per call, small, rotated, and forgiving of whatever a machine does."""

from __future__ import annotations

import errno
import json
import math
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from services import eventually

import ai_engine_quality as aeq
from ai_engine_quality.sinks import records as records_module

USUAL_BYTES = (1_000, 2_560)
MOST_BYTES = 8_192

TEXTS = {
    "provider": "p" * 64,
    "pipeline": "q" * 64,
    "outcome": "o" * 64,
}


def usual_call(quality, call_id="1761532874.2245", *, turns=10, seed=1):
    """Have a call as an engine reports it: clock differences, and every frame of both sides.

    The caller speaks for 1.5 s, waits, and hears an answer of 2 s, turn by turn.
    """
    random = Random(seed)  # noqa: S311
    quality.call_started(call_id, provider="openai_realtime", pipeline="default")
    began = quality.call(call_id).accumulator.started
    frames = 0
    for _ in range(turns):
        wait = random.uniform(0.5, 1.9)
        quality.turn_response(call_id, wait - 0.4)
        for place in range(round((4 + wait) / 0.02)):
            since = place * 0.02 - 0.5
            frames += 1
            at = began + frames * 0.02
            caller = random.uniform(300, 2_000) if 0 <= since < 1.5 else random.uniform(5, 9)
            agent = random.uniform(300, 4_000) if 0 <= since - 1.5 - wait < 2 else 0.0
            quality.audio_level(call_id, "transport_in", caller, at=at)
            quality.audio_level(call_id, "provider_out", agent, at=at)
    quality.frames_sent(call_id, turns * 190)
    quality.underflow(call_id, 7, episodes=3)
    quality.barge_in(call_id, random.uniform(0.2, 0.5))
    quality.barge_in(call_id)
    quality.codec_alignment(call_id, aligned=True)
    return quality.call_ended(call_id, outcome="completed", duration=random.uniform(60, 240))


def short_call(quality, call_id):
    quality.call_started(call_id, provider="deepgram")
    quality.turn_response(call_id, 0.5)
    quality.underflow(call_id, 0)
    return quality.call_ended(call_id, duration=60.0)


def huge_call(quality, call_id, *, turns=600, others=513, lowest=0.3, stages=8):
    """Have a call of everything that a call can hold, with values of every size."""
    random = Random(turns)  # noqa: S311

    def seconds():
        return math.exp(random.uniform(math.log(lowest), math.log(299)))

    quality.call_started(call_id, provider=TEXTS["provider"], pipeline=TEXTS["pipeline"])
    call = quality.call(call_id)
    for _ in range(turns):
        call.turn_response(seconds())
    for _ in range(others):
        call.barge_in(seconds())
        call.unanswered(seconds())
    for number in range(20):
        call.fallback(f"reason-{number}-{'word' * 8}")
        call.codec_alignment(aligned=number % 2 == 0, detail=f"detail-{number}-{'word' * 8}")
    call.frames_sent(987_654_321)
    call.underflow(987_654_321, episodes=876_543_210)
    names = ["provider_out", "transport_in", "provider_in"]
    names += [f"transport_out:{letter * 32}" for letter in "abcde"]
    for name in names[:stages]:
        for _ in range(100):
            frame = bytes(random.randrange(256) for _ in range(16)) * 20
            for _ in range(4):
                call.audio(name, frame, encoding="slin16", sample_rate=8000)
    return call.call_ended(outcome=TEXTS["outcome"], duration=random.uniform(30_000, 60_000))


@pytest.fixture
def path(tmp_path):
    """Return where a test's records go, in folders that don't exist yet."""
    return tmp_path / "var" / "engine" / "records.jsonl"


@pytest.fixture
def file(path):
    """Return the record file at that path."""
    return aeq.RecordFile(path)


class Remembering:
    """A logger that keeps what it is told."""

    def __init__(self):
        self.told = []

    def warning(self, event, **fields):
        self.told.append((event, fields))


@pytest.fixture
def logger():
    """Return a logger that keeps what it is told."""
    return Remembering()


@pytest.fixture
def recording(registry, clock, file, logger):
    """Return a monitor that writes records to the file."""
    monitor = aeq.QualityMonitor(
        registry=registry, clock=clock, log=False, logger=logger, records=file
    )
    yield monitor
    monitor.close()


@pytest.fixture(scope="module")
def line(tmp_path_factory):
    """Return the line of a good record."""
    path = tmp_path_factory.mktemp("good") / "records.jsonl"
    file = aeq.RecordFile(path)
    file(scored("good"))
    file.close()
    return path.read_bytes()


def scored(call_id):
    """Return the score of a short call, without a monitor."""
    return aeq.score(aeq.CallSummary(call_id=call_id, turn_latencies=(2.5,), duration=60.0))


@pytest.fixture
def write(quality, path):
    """Return a function that appends short calls of these ids, by a writer of its own."""

    def write(*call_ids):
        file = aeq.RecordFile(path)
        for call_id in call_ids:
            file(short_call(quality, call_id))
        file.close()

    return write


def lines(path):
    return path.read_bytes().splitlines(keepends=True)


def ids(path):
    """Return the call ids of the readable records, oldest first."""
    return [found.call_id for found in aeq.read_records(path) if isinstance(found, aeq.CallScore)]


def unreadable(path):
    return [found for found in aeq.read_records(path) if isinstance(found, aeq.Unreadable)]


def agrees(stored, score):
    """Assert that a stored score is that score; floats may be stored with fewer digits."""
    assert (stored.call_id, stored.score, stored.band) == (score.call_id, score.score, score.band)
    assert stored.ceilings == score.ceilings
    assert (stored.turns, stored.unscored_reason) == (score.turns, score.unscored_reason)
    assert stored.policy_version == score.policy_version
    assert stored.coverage == pytest.approx(score.coverage)
    assert stored.raw == pytest.approx(score.raw, abs=0.001)
    for ours, theirs in zip(stored.factors, score.factors, strict=True):
        assert (ours.name, ours.n, ours.observed) == (theirs.name, theirs.n, theirs.observed)
        assert ours.penalty == pytest.approx(theirs.penalty, abs=0.001)
    assert stored.summary.call_id == score.summary.call_id
    assert stored.summary.provider == score.summary.provider
    assert stored.summary.outcome == score.summary.outcome
    assert stored.summary.turn_count == score.summary.turn_count


def assert_rescores(stored, policy=aeq.DEFAULT_POLICY):
    """Assert that the stored summary gives the stored score."""
    again = aeq.score(stored.summary, policy)
    agrees(stored, again)


class TestWhatIsStored:
    def test_each_call_is_one_line(self, recording, path):
        """Every call, scored or not, is one line of JSON, in the order in which they ended."""
        usual_call(recording, "first")
        recording.call_started("unscored")
        assert recording.call_ended("unscored").score is None
        usual_call(recording, "third")
        recording.close()
        assert [json.loads(line)["summary"]["call_id"] for line in lines(path)] == [
            "first",
            "unscored",
            "third",
        ]
        assert all(line.endswith(b"}\n") for line in lines(path))

    def test_a_record_gives_the_score_back(self, recording, path):
        """What is read is the score that was written."""
        scores = [usual_call(recording, f"call-{n}", turns=n, seed=n) for n in range(1, 12)]
        recording.close()
        stored = list(aeq.read_records(path))
        assert len(stored) == len(scores)
        for ours, theirs in zip(stored, scores, strict=True):
            agrees(ours, theirs)

    @given(data=st.data())
    def test_any_stored_summary_scores_the_same(self, summaries, tmp_path_factory, data):
        """Of every kind of call, the stored summary scored again gives the stored score."""
        path = tmp_path_factory.mktemp("any") / "records.jsonl"
        score = aeq.score(data.draw(summaries))
        file = aeq.RecordFile(path)
        file(score)
        file.close()
        (stored,) = aeq.read_records(path)
        agrees(stored, score)
        assert_rescores(stored)

    @pytest.mark.parametrize("call_id", ['"', "\\", "通話", "📞", "a\\nb", "{}", "x" * 256])
    def test_strange_ids_are_stored(self, recording, path, call_id):
        """Whatever is allowed as an id is stored as it is."""
        short_call(recording, call_id)
        recording.close()
        assert ids(path) == [call_id]

    @pytest.mark.parametrize("turns", [2, 6, 10, 15])
    def test_a_usual_call_takes_1_to_2_and_a_half_kb(self, recording, path, turns):
        """A usual call, with clocks' and levels' full digits, takes 1 to 2.5 kB."""
        usual_call(recording, turns=turns)
        recording.close()
        assert USUAL_BYTES[0] <= path.stat().st_size <= USUAL_BYTES[1]

    @pytest.mark.parametrize(
        "call",
        [
            {"call_id": "plain"},
            {"call_id": "x" * 256},
            {"call_id": "é" * 256},
            {"call_id": "📞" * 256},
            {"call_id": '"' * 256},
            {"call_id": "wide", "lowest": 0.0002},
            {"call_id": "long", "turns": 20_000, "lowest": 0.0002},
            {"call_id": "📞" * 256, "turns": 5_000, "others": 3_000, "lowest": 0.0002},
            {"call_id": "few-turns", "turns": 0, "others": 0},
            {"call_id": "reactions", "turns": 0, "others": 513, "stages": 0},
        ],
        ids=(
            "plain", "letters", "accents", "signs", "quotes", "wide", "long", "long with signs",
            "few turns", "reactions",
        ),
    )  # fmt: skip  # plain names: mutmut finds no others
    def test_the_hugest_call_takes_8_kb_at_most(self, recording, path, call):
        """However much a call holds, its record has 8 kB at most and agrees with itself."""
        score = huge_call(recording, **call)
        recording.close()
        assert path.stat().st_size <= MOST_BYTES
        (stored,) = aeq.read_records(path)
        assert stored.call_id == score.call_id
        assert stored.summary.turn_count == score.summary.turn_count
        assert stored.score == pytest.approx(score.score, abs=1)
        assert_rescores(stored)

    @pytest.mark.parametrize(
        ("values", "lowest", "highest"),
        [(600, 0.2, 0.9), (5_000, 0.001, 1.5), (20_000, 0.0002, 0.99), (20_000, 0.0002, 200.0)],
    )
    def test_a_long_call_keeps_its_score(self, recording, path, values, lowest, highest):
        """Stored in less room, a long call's percentiles are within 1 %, and its score a point."""
        random = Random(values)  # noqa: S311
        recording.call_started("long")
        for _ in range(values):
            for report in (recording.turn_response, recording.barge_in, recording.unanswered):
                share = 0.1 if report == recording.unanswered else 1.0
                seconds = math.exp(random.uniform(math.log(lowest), math.log(highest)))
                report("long", share * seconds)
        recording.frames_sent("long", 100_000)
        recording.underflow("long", 3)
        score = recording.call_ended("long", duration=50_000.0)
        recording.close()
        assert path.stat().st_size <= MOST_BYTES
        (stored,) = aeq.read_records(path)
        for name in ("latency", "barge_in"):
            assert stored.factor(name).value == pytest.approx(score.factor(name).value, rel=0.0101)
            assert stored.factor(name).n == score.factor(name).n
        assert abs(stored.score - score.score) <= 1
        assert_rescores(stored)

    def test_a_huge_call_is_stored_by_the_monitors_policy(self, registry, path):
        """Scored again in less room, a huge call is scored by the policy that scored it."""
        policy = aeq.DEFAULT_POLICY.with_changes({"ceilings": {"unanswered": [[5, 42]]}})
        monitor = aeq.QualityMonitor(
            registry=registry, log=False, policy=policy, records=aeq.RecordFile(path)
        )
        score = huge_call(monitor, "huge")
        monitor.close()
        assert score.score <= 42
        (stored,) = aeq.read_records(path)
        assert stored.policy_version == policy.version
        assert stored.score == score.score

    def test_a_custom_policys_record_can_be_read(self, registry, path):
        """A score by a policy that doesn't ship is read and scored again with that policy."""
        policy = aeq.DEFAULT_POLICY.with_changes({"knees": {"latency": [[0.1, 0], [1, 30]]}})
        monitor = aeq.QualityMonitor(registry=registry, log=False, policy=policy, records=path)
        score = usual_call(monitor)
        monitor.close()
        (stored,) = aeq.read_records(path)
        agrees(stored, score)
        assert_rescores(stored, policy)


class TestRotation:
    def fill(self, quality, path, *, calls, files, max_bytes=20_000):
        file = aeq.RecordFile(path, max_bytes=max_bytes, files=files)
        for number in range(calls):
            file(short_call(quality, f"call-{number}"))
        file.close()

    def test_files_are_rotated_by_size_and_bounded_in_number(self, quality, path):
        """No file exceeds its size; the oldest go; what is left is the newest, without a gap."""
        self.fill(quality, path, calls=100, files=3)
        names = sorted(found.name for found in path.parent.iterdir())
        assert names == ["records.jsonl", "records.jsonl.1", "records.jsonl.2"]
        sizes = [found.stat().st_size for found in path.parent.iterdir()]
        assert max(sizes) <= 20_000
        assert sorted(sizes)[1] > 15_000
        kept = ids(path)
        assert kept == [f"call-{number}" for number in range(100 - len(kept), 100)]
        assert unreadable(path) == []

    def test_one_file_is_begun_anew(self, quality, path):
        """With one file, the full one goes and a new one begins."""
        self.fill(quality, path, calls=50, files=1)
        assert [found.name for found in path.parent.iterdir()] == ["records.jsonl"]
        assert 0 < path.stat().st_size <= 20_000
        assert ids(path)[-1] == "call-49"

    def test_nothing_is_rotated_below_the_size(self, quality, path):
        """Within its size there is one file with every record."""
        self.fill(quality, path, calls=20, files=3, max_bytes=1_000_000)
        assert [found.name for found in path.parent.iterdir()] == ["records.jsonl"]
        assert ids(path) == [f"call-{number}" for number in range(20)]

    def test_a_new_writer_goes_on_where_the_last_one_ended(self, quality, path):
        """Restarted between any two calls, the file holds what one run would have written."""
        for number in range(40):
            file = aeq.RecordFile(path, max_bytes=20_000, files=9)
            file(short_call(quality, f"call-{number}"))
            file.close()
        assert ids(path) == [f"call-{number}" for number in range(40)]
        assert all(found.stat().st_size <= 20_000 for found in path.parent.iterdir())

    @pytest.mark.parametrize("wrong", [{"max_bytes": 100}, {"files": 0}])
    def test_impossible_sizes_are_refused(self, path, wrong):
        """A file too small for a record, or no file at all, raises and names the argument."""
        with pytest.raises(ValueError, match=next(iter(wrong))):
            aeq.RecordFile(path, **wrong)

    def test_no_file_is_an_error(self, path):
        """To read what isn't there is an error with its name."""
        with pytest.raises(FileNotFoundError, match=r"records\.jsonl"):
            list(aeq.read_records(path))

    def test_rotated_files_alone_are_read(self, write, path):
        """The file in use may be missing just then: the rotated ones are read."""
        write("a")
        path.rename(path.with_name("records.jsonl.1"))
        assert ids(path) == ["a"]


class TestTornLines:
    def test_cut_anywhere_the_earlier_records_stay(self, write, path):
        """Torn at any byte of the last record, all earlier ones are read and the torn one told."""
        write("a", "b", "c")
        whole = path.read_bytes()
        last = len(b"".join(lines(path)[:2]))
        for cut in range(last, len(whole)):
            path.write_bytes(whole[:cut])
            found = list(aeq.read_records(path))
            assert [score.call_id for score in found[:2]] == ["a", "b"]
            if cut == last:
                assert len(found) == 2
            elif cut < len(whole) - 1:
                (torn,) = found[2:]
                assert torn[:2] == (path, 3)
                assert "torn" in torn.reason
            else:  # only the line's end is missing: the record is whole
                assert [score.call_id for score in found[2:]] == ["c"]

    @given(share=st.floats(0, 1))
    def test_the_next_writer_ends_the_torn_line(self, line, tmp_path_factory, share):
        """After a crash at any byte, the next record stands on a line of its own."""
        path = tmp_path_factory.mktemp("torn") / "records.jsonl"
        cut = round(share * len(line))
        path.write_bytes(line + line + line[:cut])
        file = aeq.RecordFile(path)
        file(scored("after"))
        file.close()
        torn = 0 < cut < len(line) - 1
        earlier = ["good", "good"] if cut == 0 or torn else ["good", "good", "good"]
        assert ids(path) == [*earlier, "after"]
        assert [told.line for told in unreadable(path)] == [3] * torn

    def test_a_killed_process_loses_the_last_line_at_most(self, path, write):
        """Of what a process had written before SIGKILL, all lines but the last are whole."""
        script = f"""
            import ai_engine_quality as aeq
            file = aeq.RecordFile({str(path)!r})
            number = 0
            while True:
                summary = aeq.CallSummary(call_id=str(number), turn_latencies=(0.5,), duration=60.0)
                file(aeq.score(summary))
                number += 1
                if number % 100 == 0:
                    file.flush()
        """
        writer = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)])
        try:
            eventually(lambda: path.exists() and path.stat().st_size > 200_000)
        finally:
            writer.send_signal(signal.SIGKILL)
            writer.wait(20)
        found = list(aeq.read_records(path))
        assert len(found) > 50
        whole = found[:-1] if isinstance(found[-1], aeq.Unreadable) else found
        assert [score.call_id for score in whole] == [str(number) for number in range(len(whole))]
        write("after")
        assert ids(path) == [*(score.call_id for score in whole), "after"]


class TestAFullDisk:
    @pytest.fixture
    def path(self):
        """Return the file of a disk that is always full."""
        return Path("/dev/full")

    def test_a_full_disk_is_counted(self, recording, file, dropped):
        """On a disk that is full, each record is counted as not written, and no call suffers."""
        scores = [short_call(recording, f"call-{number}") for number in range(3)]
        assert [score.score for score in scores] == [100, 100, 100]
        assert file.flush()
        assert dropped("record_not_written") == 3


class TestDisksThatFail:
    @pytest.fixture
    def failing(self, monkeypatch):
        """Return a function that makes a call of ``os`` fail in the writer's thread only."""

        def fail(name, replacement):
            real = getattr(os, name)

            def patched(*args, **kwargs):
                if threading.current_thread() is threading.main_thread():
                    return real(*args, **kwargs)
                return replacement(real, *args, **kwargs)

            monkeypatch.setattr(records_module.os, name, patched)

        return fail

    def test_a_disk_that_fills_leaves_a_readable_file(self, path):
        """A write that the disk takes only in part is taken back: no line is torn."""
        script = f"""
            import resource
            import ai_engine_quality as aeq
            from prometheus_client import CollectorRegistry
            registry = CollectorRegistry()
            file = aeq.RecordFile({str(path)!r})

            class Silent:
                def warning(self, *_, **__): pass

            monitor = aeq.QualityMonitor(
                registry=registry, log=False, logger=Silent(), records=file)
            resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
            for number in range(20):
                monitor.call_started(str(number))
                monitor.turn_response(str(number), 0.5)
                monitor.call_ended(str(number), duration=60.0)
            file.flush()
            print(registry.get_sample_value(
                "ai_agent_quality_dropped_total", {{"reason": "record_not_written"}}))
        """
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script)],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        lost = float(done.stdout.splitlines()[-1])
        assert 0 < path.stat().st_size <= 10_000
        assert unreadable(path) == []
        assert ids(path) == [str(number) for number in range(len(ids(path)))]
        assert len(ids(path)) + lost == 20

    def test_short_writes_that_cannot_be_taken_back_are_ended(
        self, recording, file, failing, dropped
    ):
        """Even if a torn line can't be taken back, the next record begins on its own line."""
        short = iter([True])

        def write_half(real, handle, data):
            return real(handle, data[: len(data) // 2] if next(short, False) else data)

        def refuse(_real, *_args):
            raise OSError(errno.EIO, "Input/output error")

        failing("write", write_half)
        failing("ftruncate", refuse)
        short_call(recording, "half")
        short_call(recording, "whole")
        assert file.flush()
        assert ids(file.path) == ["whole"]
        assert [told.line for told in unreadable(file.path)] == [1]
        assert dropped("record_not_written") == 1

    def test_it_goes_on_when_there_is_room_again(self, recording, file, failing, dropped):
        """After a full disk, the next record is written: nothing has to be restarted."""
        full = iter([True, True])

        def write(real, handle, data):
            if next(full, False):
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(handle, data)

        failing("write", write)
        for call_id in ("lost-1", "lost-2", "kept-1", "kept-2"):
            short_call(recording, call_id)
        assert file.flush()
        assert ids(file.path) == ["kept-1", "kept-2"]
        assert unreadable(file.path) == []
        assert dropped("record_not_written") == 2

    @pytest.mark.parametrize(
        "code", [errno.EROFS, errno.EACCES, errno.EMFILE], ids=errno.errorcode.get
    )
    def test_a_file_that_cannot_be_opened_is_counted(self, recording, file, failing, dropped, code):
        """A disk that became read-only, or no handle left, costs records and nothing else."""

        def refuse(_real, *_args, **_kwargs):
            raise OSError(code, os.strerror(code))

        failing("open", refuse)
        assert short_call(recording, "call").score == 100
        assert file.flush()
        assert dropped("record_not_written") == 1

    def test_a_file_in_the_folders_place_is_counted(self, recording, path, dropped):
        """Where the folder can't be made, records are lost and counted, until it can."""
        path.parent.parent.write_text("not a folder")
        short_call(recording, "lost")
        eventually(lambda: dropped("record_not_written") == 1)
        path.parent.parent.unlink()
        short_call(recording, "kept")
        recording.close()
        assert ids(path) == ["kept"]

    def test_losses_are_told_once_a_minute(self, recording, file, path, logger):
        """A disk that fails for each call is one warning a minute, with the error."""
        path.mkdir(parents=True)
        for number in range(5):
            short_call(recording, f"call-{number}")
        assert file.flush()

        def warnings():
            # On a busy machine there may be one beside them, that an output was slow.
            return [f for event, f in logger.told if event == "quality_record_not_written"]

        eventually(warnings)  # the writer's thread logs them after what it had to write
        (fields,) = warnings()
        assert "IsADirectoryError" in fields["traceback"]

    @pytest.fixture
    def short_queue(self, monkeypatch):
        """Let record files that are made from now on queue three records only."""
        monkeypatch.setattr(records_module, "QUEUE_RECORDS", 3)

    @pytest.mark.usefixtures("short_queue")
    def test_a_stuck_disk_does_not_hold_the_engine(self, recording, path, failing, dropped):
        """While a write hangs, calls end at once; what exceeds the queue is counted as lost."""
        stuck, free = threading.Event(), threading.Event()

        def hang(real, handle, data):
            stuck.set()
            free.wait()
            return real(handle, data)

        scores = []

        def engine():
            scores.extend(short_call(recording, f"call-{number}").score for number in range(10))

        failing("write", hang)
        try:
            short_call(recording, "stuck")
            assert stuck.wait(20)
            calls = threading.Thread(target=engine, daemon=True)
            calls.start()
            calls.join(20)
            assert scores == [100] * 10
            assert dropped("record_not_written") == 7
            assert path.stat().st_size == 0
        finally:
            free.set()
        eventually(lambda: ids(path) == ["stuck", "call-0", "call-1", "call-2"])

    @pytest.mark.usefixtures("short_queue")
    def test_flush_waits_for_a_full_queue(self, file, failing):
        """Also with a queue that is full, as after a stall, a flush waits until all is written."""
        stuck, free = threading.Event(), threading.Event()

        def hang(real, handle, data):
            stuck.set()
            free.wait()
            return real(handle, data)

        failing("write", hang)
        flushed = []
        try:
            file(scored("stuck"))
            assert stuck.wait(20)
            for number in range(3):
                file(scored(f"call-{number}"))
            closing = threading.Thread(target=lambda: flushed.append(file.flush(timeout=20)))
            closing.start()
            closing.join(0.2)
        finally:
            free.set()
        closing.join(20)
        assert flushed == [True]
        assert ids(file.path) == ["stuck", "call-0", "call-1", "call-2"]

    def test_flush_tells_that_it_could_not(self, quality, path, failing):
        """A flush that ran out of time says so instead of waiting on."""
        free = threading.Event()
        file = aeq.RecordFile(path)

        def hang(real, handle, data):
            free.wait()
            return real(handle, data)

        failing("write", hang)
        try:
            file(short_call(quality, "call"))
            assert file.flush(timeout=0.01) is False
        finally:
            free.set()
        assert file.flush() is True
        file.close()
        assert ids(path) == ["call"]


class TestOthersAtTheFile:
    def test_a_deleted_file_is_made_again(self, recording, path):
        """Deleted while in use, the file is there again with the next record."""
        short_call(recording, "a")
        eventually(lambda: path.exists() and path.read_bytes().endswith(b"\n"))
        path.unlink()
        short_call(recording, "b")
        recording.close()
        assert ids(path) == ["b"]

    def test_a_moved_file_is_left_alone(self, recording, path):
        """Moved away by another tool's rotation, the old file keeps its records only."""
        short_call(recording, "a")
        eventually(lambda: path.exists() and path.read_bytes().endswith(b"\n"))
        moved = path.rename(path.with_name("moved.jsonl"))
        short_call(recording, "b")
        recording.close()
        assert (ids(moved), ids(path)) == (["a"], ["b"])

    def test_a_truncated_file_goes_on_from_its_start(self, recording, path):
        """Emptied while in use, the file goes on without a hole of zeros."""
        short_call(recording, "a")
        eventually(lambda: path.exists() and path.read_bytes().endswith(b"\n"))
        os.truncate(path, 0)
        short_call(recording, "b")
        recording.close()
        assert ids(path) == ["b"]
        assert unreadable(path) == []
        assert path.read_bytes().startswith(b"{")

    def test_a_removed_folder_is_made_again(self, recording, path):
        """The folder, removed while in use, is there again with the next record."""
        short_call(recording, "a")
        eventually(lambda: path.exists() and path.read_bytes().endswith(b"\n"))
        path.unlink()
        path.parent.rmdir()
        short_call(recording, "b")
        recording.close()
        assert ids(path) == ["b"]

    def test_two_writers_do_not_mix_their_lines(self, quality, path):
        """Two writers on one file, as two engines have, leave every record whole."""
        files = [aeq.RecordFile(path), aeq.RecordFile(path)]
        for number in range(100):
            for writer, file in enumerate(files):
                file(short_call(quality, f"{writer}-{number}"))
        for file in files:
            file.close()
        assert unreadable(path) == []
        found = ids(path)
        for writer in range(2):
            ours = [call_id for call_id in found if call_id.startswith(f"{writer}-")]
            assert ours == [f"{writer}-{number}" for number in range(100)]


class TestTheWriter:
    def run(self, script, **options):
        return subprocess.run(
            [sys.executable, "-W", "ignore::DeprecationWarning", "-c", textwrap.dedent(script)],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            **options,
        )

    def test_nothing_is_opened_before_the_first_record(self, recording, path):
        """A monitor makes its thread with its first call, and file and folder with its record."""
        assert recording._writer._thread is None
        recording.call_started("live")
        assert recording._writer._thread.daemon
        assert not path.parent.exists()

    def test_what_waits_is_written_at_exit(self, path):
        """A process that ends without ``close()`` has written its records."""
        done = self.run(f"""
            import ai_engine_quality as aeq
            file = aeq.RecordFile({str(path)!r})
            for number in range(300):
                file(aeq.score(aeq.CallSummary(call_id=str(number), duration=60.0)))
        """)
        assert (done.returncode, done.stderr) == (0, "")
        assert ids(path) == [str(number) for number in range(300)]

    def test_it_opens_again_after_close(self, quality, path):
        """A score that comes after ``close()`` is written too."""
        file = aeq.RecordFile(path)
        for call_id in ("a", "b"):
            file(short_call(quality, call_id))
            file.close()
        assert ids(path) == ["a", "b"]

    def test_close_leaves_no_handle_open(self, recording, path):
        """After ``close()`` this process has the file open no more."""
        short_call(recording, "a")
        recording.close()
        handles = {os.path.realpath(handle) for handle in Path("/proc/self/fd").iterdir()}
        assert path.exists()
        assert str(path) not in handles

    def test_a_record_that_cannot_be_made_is_counted(self, recording, file, dropped):
        """A score that can't be put into JSON is counted, and the next one is written."""
        score = short_call(recording, "good")
        bad = replace(score, call_id="bad", raw=float("nan"))
        file(bad)
        short_call(recording, "also-good")
        assert file.flush()
        assert ids(file.path) == ["good", "also-good"]
        assert dropped("record_not_written") == 1

    def test_a_forked_child_writes_its_own_records_only(self, path):
        """A forked child leaves the parent's waiting records to the parent, and writes its own."""
        done = self.run(f"""
            import os, sys, threading
            import ai_engine_quality as aeq

            parent, real, stuck, free = os.getpid(), os.open, threading.Event(), threading.Event()

            def open_it(*args):
                if os.getpid() == parent and threading.current_thread().daemon:
                    stuck.set()
                    free.wait()
                return real(*args)

            def score(call_id):
                return aeq.score(aeq.CallSummary(call_id=call_id, duration=60.0))

            os.open = open_it
            file = aeq.RecordFile({str(path)!r})
            for number in range(5):
                file(score(f"parent-{{number}}"))
            stuck.wait()
            child = os.fork()
            if not child:
                file(score("child"))
                file.close()
                sys.exit(0)
            status = os.waitpid(child, 0)[1]
            idle = os.fork()
            if not idle:
                sys.exit(0)
            status |= os.waitpid(idle, 0)[1]
            free.set()
            file(score("parent-5"))
            file.close()
            sys.exit(status)
        """)
        assert (done.returncode, done.stderr) == (0, "")
        assert unreadable(path) == []
        assert ids(path) == ["child", *(f"parent-{number}" for number in range(6))]

    def test_a_forked_child_of_an_idle_writer_works(self, path):
        """A child forked between two records goes on writing, and so does the parent."""
        done = self.run(f"""
            import os, sys
            import ai_engine_quality as aeq

            def score(call_id):
                return aeq.score(aeq.CallSummary(call_id=call_id, duration=60.0))

            file = aeq.RecordFile({str(path)!r})
            file(score("before"))
            file.flush()
            child = os.fork()
            file(score("parent" if child else "child"))
            file.close()
            sys.exit(os.waitpid(child, 0)[1] if child else 0)
        """)
        assert (done.returncode, done.stderr) == (0, "")
        assert sorted(ids(path)) == ["before", "child", "parent"]


class TestAFoldersPath:
    @pytest.mark.parametrize("end", ["", "/", "/.", "/.."])
    def test_it_is_refused_at_set_up_with_the_fix(self, registry, tmp_path, end):
        """Not at the first call's end, when the first record is lost already."""
        folder = f"{tmp_path}{end}"
        fix = re.escape(f"is a folder; write '{folder.rstrip('/')}/calls.jsonl'")
        with pytest.raises(ValueError, match=fix):
            aeq.QualityMonitor(registry=registry, records=folder)

    @pytest.mark.parametrize("path", ["", "not/there/yet/"])
    def test_what_names_no_file_is_refused_though_it_is_not_there(self, path):
        """By the path alone: it would be made as a folder."""
        with pytest.raises(ValueError, match=r"write '(not/there/yet/)?calls\.jsonl'"):
            aeq.RecordFile(path)

    def test_a_refused_monitor_registers_nothing(self, registry, tmp_path):
        """The next one, with a file's path, finds the registry as it was."""
        with pytest.raises(ValueError, match="is a folder"):
            aeq.QualityMonitor(registry=registry, records=tmp_path)
        aeq.QualityMonitor(registry=registry, records=tmp_path / "calls.jsonl").close()

    def test_a_disk_that_does_not_answer_holds_the_set_up_for_half_a_second(self, monkeypatch):
        """As a network's mount whose server is gone: the path is believed."""
        answers = threading.Event()
        monkeypatch.setattr(os.path, "isdir", lambda _: answers.wait(30))
        began = time.monotonic()
        aeq.RecordFile("/mnt/gone/calls.jsonl")
        took = time.monotonic() - began
        answers.set()
        assert took < 10


class TestAFileOfItsOwn:
    def test_its_own_listener_is_told_beside_the_monitor(self, registry, path, monkeypatch):
        """A listener given to a file still hears of lost records when a monitor uses the file."""
        told = []
        file = aeq.RecordFile(path, on_lost=lambda lost, _: told.append(lost))
        monitor = aeq.QualityMonitor(registry=registry, log=False, records=file)
        monkeypatch.setattr(file, "_write", lambda _: os.read(-1, 1))
        monitor.call_started("call")
        monitor.call_ended("call", duration=60.0)
        file.flush()
        lost = registry.get_sample_value(
            "ai_agent_quality_dropped_total", {"reason": "record_not_written"}
        )
        monitor.close()
        assert (told, lost) == ([1], 1.0)

    def test_what_a_stuck_disk_does_not_take_is_counted_as_lost(self, path, monkeypatch):
        """Records that still wait when the file is closed are told as lost, not forgotten."""
        told = []
        file = aeq.RecordFile(path, on_lost=lambda lost, _: told.append(lost))
        stuck, taken = threading.Event(), threading.Event()
        monkeypatch.setattr(file, "_write", lambda _: taken.set() or stuck.wait(30))
        score = aeq.score(aeq.CallSummary(call_id="call", failed=True))
        for _ in range(4):
            file(score)
        taken.wait(30)
        monkeypatch.setattr(file, "flush", lambda: False)
        file.close()
        stuck.set()
        assert told == [3]
