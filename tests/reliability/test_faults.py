"""What breaks around the library: hooks, disks, clocks, threads, processes, modules.

Faults of hooks that raise or are slow are in ``tests/live/test_hooks.py``; full, stuck and
vanishing disks, forks and SIGKILL of the record file in ``tests/sinks/test_records.py``; calls
ended from many threads, and two monitors on one registry, in ``tests/test_monitor.py``.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import textwrap
import threading

import pytest
from prometheus_client import generate_latest

import ai_engine_quality as aeq
from ai_engine_quality.live import live_calls, upkeep
from ai_engine_quality.live.handle import CallHandle
from ai_engine_quality.live.hooks import MAX_NESTED

STARTED, ENDED = "ai_agent_calls_started_total", "ai_agent_calls_ended_total"


def total(registry, name):
    """Return the sum of all samples of a name."""
    return sum(s.value for metric in registry.collect() for s in metric.samples if s.name == name)


def call(quality, call_id):
    """Have a call that can be scored."""
    quality.call_started(call_id, provider="deepgram")
    quality.turn_response(call_id, 0.5)
    quality.underflow(call_id, 0)
    return quality.call_ended(call_id, duration=60.0)


def python(script, **options):
    """Run a script in a process of its own and return what it printed, as JSON."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        **options,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


class TestHooks:
    @pytest.mark.parametrize("branches", [1, 2])
    def test_hooks_that_end_calls_without_end_are_stopped(self, quality, registry, branches):
        """A hook that has another call each time ends, and each of those calls is counted once."""
        numbers, seen = iter(range(1_000_000)), []

        def recurse(score):
            seen.append(score.call_id)
            for _ in range(branches):
                call(quality, f"inner-{next(numbers)}")

        quality.add_hook(recurse)
        assert call(quality, "outer").score == 100
        calls = total(registry, STARTED)
        assert calls == total(registry, ENDED) > MAX_NESTED
        assert calls <= sum(branches**depth for depth in range(MAX_NESTED + 1))
        assert len(seen) == len(set(seen)) < calls
        assert total(registry, "ai_agent_quality_hook_failures_total") > 0
        assert total(registry, "ai_agent_calls_active") == 0

    def test_hooks_run_again_after_they_were_stopped(self, quality):
        """The bound is of one stack, and is forgotten with it."""
        seen = []

        def once(score):
            seen.append(score.call_id)
            if len(seen) < 3 * MAX_NESTED and not score.call_id.startswith("calm"):
                call(quality, f"inner-{len(seen)}")

        quality.add_hook(once)
        call(quality, "wild")
        wild = len(seen)
        for number in range(5):
            call(quality, f"calm-{number}")
        assert wild == MAX_NESTED
        assert seen[wild:] == [f"calm-{number}" for number in range(5)]


class TestClock:
    @pytest.mark.parametrize("jump", [-1e6, -1.0, 1.0, 3_600.0, 1e6, 1e12])
    def test_calls_go_on_over_a_jump(self, quality, registry, clock, jump):
        """Back or forth, what is live is scored once, lasts 0 s or more, and new calls begin."""
        told = []
        quality.add_hook(told.append)
        call(quality, "before")
        quality.call_started("during")
        quality.turn_response("during", 0.5)
        quality.turn_response("during", -1.0)
        clock.advance(jump)
        generate_latest(registry)
        quality.call_ended("during")
        quality.turn_response("after", -1.0)
        assert call(quality, "after").score == 100
        generate_latest(registry)
        assert [score.call_id for score in told] == ["before", "during", "after"]
        for score in told:
            expired = score.summary.outcome == "expired"
            assert score.summary.duration is None if expired else score.summary.duration >= 0
        assert total(registry, STARTED) == total(registry, ENDED) == 3

    def test_warnings_go_on_when_the_clock_went_back(self, quality, clock, logger):
        """A warning is due again when the last one lies in the future."""
        quality.turn_response("unknown", 0.5)
        clock.advance(-1e6)
        quality.turn_response("unknown", 0.5)
        assert len(logger.calls) == 2


class TestManyCalls:
    def test_100_000_calls_that_never_end(self, registry, clock, monkeypatch):
        """20,000 are held and the others counted; once overdue they go, for 2 ms a scrape."""
        quality = aeq.QualityMonitor(registry=registry, clock=clock, log=False)
        told = []
        quality.add_hook(told.append)
        for number in range(100_000):
            quality.call_started(f"1.{number}", provider="deepgram")
        many = {"reason": "too_many_calls"}
        assert registry.get_sample_value("ai_agent_quality_dropped_total", many) == 80_000
        assert registry.get_sample_value("ai_agent_calls_active") == 20_000
        clock.advance(5 * 3_600.0)
        passed = Passing()
        monkeypatch.setattr(upkeep.time, "perf_counter", passed)
        quality.add_hook(lambda _: passed.take(0.0005))
        for scrape in range(1, 4):
            generate_latest(registry)
            assert len(told) == scrape * 4
        quality.call_started("new", provider="deepgram")
        assert len(told) == 3 * 4 + 2
        quality.add_hook(lambda _: passed.take(60.0))
        generate_latest(registry)
        assert len(told) == 3 * 4 + 2 + 1
        monkeypatch.undo()
        while quality.expire_calls():
            pass
        assert len({score.call_id for score in told}) == len(told) == 20_000
        assert registry.get_sample_value("ai_agent_calls_active") == 1
        quality.close()

    def test_what_a_scrape_looks_at_is_bounded_by_time(self, quality, registry, monkeypatch):
        """However many calls are live, a scrape leaves off after its time and goes on later."""
        for number in range(1_000):
            quality.call_started(f"1.{number}", provider="deepgram")
        looked = []

        def look(handle):
            looked.append(handle)

        monkeypatch.setattr(CallHandle, "count_heard_turns", look)
        passed = Passing(step=0.0001)
        monkeypatch.setattr(upkeep.time, "perf_counter", passed)
        generate_latest(registry)
        assert 5 <= len(looked) <= 20
        for _ in range(300):
            generate_latest(registry)
        assert {handle.call_id for handle in looked} == {f"1.{n}" for n in range(1_000)}

    def test_tombstones_go_a_few_at_a_time(self, quality, registry, clock, monkeypatch):
        """Of thousands of old tombstones a scrape takes some; all ids are free at once."""
        for number in range(3_000):
            quality.call_started(f"1.{number}")
            quality.call_ended(f"1.{number}", duration=1.0)
        clock.advance(901.0)
        monkeypatch.setattr(upkeep.time, "perf_counter", Passing(step=1.0))
        monkeypatch.setattr(live_calls, "FORGOTTEN_AT_ONCE", 100)
        generate_latest(registry)
        assert len(quality._live._ended) == 2_900
        quality.call_started("1.2999")
        assert quality.call("1.2999").live
        quality.call_ended("1.2999")
        assert list(quality._live._ended)[-1] == "1.2999"


class Passing:
    """A timer that moves only when it is told to, or by a step at each look."""

    def __init__(self, step=0.0):
        self.now, self._step = 0.0, step

    def __call__(self):
        self.now += self._step
        return self.now

    def take(self, seconds):
        """Let so many seconds pass."""
        self.now += seconds


class TestThreads:
    def test_observations_from_threads_under_scrapes_are_all_counted(self, quality, registry):
        """Four threads report turns of their calls while others scrape: none is lost or doubled."""
        turns, problems, done = 3_000, [], threading.Event()

        def talk(call_id):
            quality.call_started(call_id, provider=call_id)
            handle = quality.call(call_id)
            for _ in range(turns):
                handle.turn_response(0.5)

        def scrape():
            try:
                while not done.is_set():
                    generate_latest(registry)
            except Exception as error:
                problems.append(error)

        talkers = [threading.Thread(target=talk, args=(f"caller_{n}",)) for n in range(4)]
        scrapers = [threading.Thread(target=scrape) for _ in range(2)]
        for thread in (*talkers, *scrapers):
            thread.start()
        for thread in talkers:
            thread.join()
        scores = [quality.call_ended(f"caller_{n}", duration=600.0) for n in range(4)]
        done.set()
        for thread in scrapers:
            thread.join()
        assert problems == []
        assert [score.turns for score in scores] == [turns] * 4
        assert total(registry, "ai_agent_call_turn_response_seconds_count") == 4 * turns

    @pytest.mark.slow
    def test_frames_come_in_one_thread_while_another_ends_calls(self, quality, registry):
        """An end has all frames measured, in whatever thread: other calls keep theirs."""
        many, done = 80_000, threading.Event()
        frame = b"\x10\x20" * 160
        quality.call_started("long")
        call = quality.call("long")

        def end_calls():
            for number in itertools.count():
                quality.call_started(str(number))
                quality.call_ended(str(number), duration=60.0)
                if done.is_set():
                    return

        thread, usual = threading.Thread(target=end_calls), sys.getswitchinterval()
        sys.setswitchinterval(1e-5)  # at every point of either thread
        try:
            thread.start()
            for _ in range(many):
                call.audio("provider_out", frame, encoding="slin16", sample_rate=8000)
        finally:
            sys.setswitchinterval(usual)
            done.set()
            thread.join()
        measured = call.call_ended(duration=600.0).summary.audio["provider_out"].frames
        assert 0.999 * many < measured <= many
        wrong = {"reason": "internal_error"}
        assert registry.get_sample_value("ai_agent_quality_dropped_total", wrong) == 0

    def test_records_are_read_while_they_are_rotated(self, tmp_path):
        """A reader beside a writer that rotates gets a gapless run of calls, and no error."""
        path = tmp_path / "calls.jsonl"
        file = aeq.RecordFile(path, max_bytes=8_000, files=200)
        file(aeq.score(aeq.CallSummary(call_id="0", duration=60.0)))
        file.flush()
        begun, done = threading.Event(), threading.Event()

        def write():
            for number in range(1, 600):
                file(aeq.score(aeq.CallSummary(call_id=str(number), duration=60.0)))
                if number % 20 == 0:
                    file.flush()
                    begun.set()
            file.close()
            done.set()

        writer = threading.Thread(target=write)
        writer.start()
        begun.wait()
        reads = 0
        while not done.is_set() or reads < 3:
            found = [s.call_id for s in aeq.read_records(path) if isinstance(s, aeq.CallScore)]
            assert found == [str(number) for number in range(len(found))]
            reads += 1
        writer.join()
        assert len(list(aeq.read_records(path))) == 600

    @pytest.mark.parametrize("fault", ["truncate", "unlink"])
    def test_a_file_that_goes_while_it_is_read(self, tmp_path, fault):
        """Emptied or deleted in the middle, reading ends without an error."""
        path = tmp_path / "calls.jsonl"
        file = aeq.RecordFile(path)
        for number in range(500):
            file(aeq.score(aeq.CallSummary(call_id=str(number), duration=60.0)))
        file.close()
        reading = aeq.read_records(path)
        first = next(reading)
        if fault == "truncate":
            os.truncate(path, 0)
        else:
            path.unlink()
        rest = [item for item in reading if isinstance(item, aeq.CallScore)]
        assert first.call_id == "0"
        assert [score.call_id for score in rest] == [str(n) for n in range(1, len(rest) + 1)]
        assert fault == "truncate" or len(rest) == 499


class TestProcesses:
    def test_a_fork_leaves_both_with_their_own_counts(self):
        """Forked with live calls, parent and child each end them, once each, in their metrics."""
        out = python("""
            import json, os
            from prometheus_client import CollectorRegistry, generate_latest
            import ai_engine_quality as aeq

            registry = CollectorRegistry()
            quality = aeq.QualityMonitor(registry=registry, log=False)
            for number in range(10):
                quality.call_started(str(number), provider="deepgram")
            read, write = os.pipe()
            child = os.fork()
            ends = 4 if child else 10
            scored = [quality.call_ended(str(n), duration=60.0) for n in range(ends)]
            generate_latest(registry)
            ended = registry.get_sample_value(
                "ai_agent_calls_ended_total", {"provider": "deepgram", "outcome": "unknown"})
            found = [sum(s is not None for s in scored), ended,
                     registry.get_sample_value("ai_agent_calls_active")]
            if not child:
                os.write(write, json.dumps(found).encode())
                os._exit(0)
            os.waitpid(child, 0)
            print(json.dumps([found, json.loads(os.read(read, 1000))]))
        """)
        assert out == [[4, 4, 6], [10, 10, 0]]

    def test_a_read_only_folder_costs_records_only(self, tmp_path):
        """Where nothing may be written, calls are scored, and each lost record is counted."""
        tmp_path.chmod(0o555)
        out = self._lost_records(tmp_path)
        assert out == 5
        assert list(tmp_path.iterdir()) == []

    def _lost_records(self, folder):
        return python(f"""
            import json, os
            from prometheus_client import CollectorRegistry
            import ai_engine_quality as aeq

            class Silent:
                def warning(self, *_, **__): pass

            registry = CollectorRegistry()
            quality = aeq.QualityMonitor(
                registry=registry, log=False, logger=Silent(), records={str(folder / "c.jsonl")!r})
            if os.getuid() == 0:
                os.setuid(65534)  # root may write anywhere
            for number in range(5):
                quality.call_started(str(number))
                quality.turn_response(str(number), 0.5)
                assert quality.call_ended(str(number), duration=60.0).turns == 1
            lost = {{"reason": "record_not_written"}}
            quality._records.flush()
            print(json.dumps(registry.get_sample_value("ai_agent_quality_dropped_total", lost)))
        """)

    def test_a_reload_leaves_the_first_monitor_whole(self):
        """Loaded anew, a second monitor is refused until the first, which scores on, is closed."""
        out = python("""
            import importlib, json, sys
            import ai_engine_quality as aeq

            def call(quality, call_id):
                quality.call_started(call_id)
                quality.turn_response(call_id, 0.5)
                quality.underflow(call_id, 0)
                return quality.call_ended(call_id, duration=60.0).score

            old, told = aeq.QualityMonitor(log=False), []
            old.add_hook(lambda score: told.append(score.score))
            first = call(old, "1")
            for name in [n for n in sys.modules if n.partition(".")[0] == "ai_engine_quality"]:
                del sys.modules[name]
            again = importlib.import_module("ai_engine_quality")
            assert again is not aeq
            try:
                again.QualityMonitor(log=False)
            except ValueError as error:
                refused = "close()" in str(error)
            second = call(old, "2")
            old.close()
            new = again.QualityMonitor(log=False)
            print(json.dumps([first, refused, second, told, call(new, "1")]))
        """)
        assert out == [100, True, 100, [100, 100], 100]
