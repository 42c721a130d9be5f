"""The background writer: the engine's thread hands over and never waits, and nothing grows."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading

import pytest
from services import eventually

import ai_engine_quality as aeq
from ai_engine_quality.live.background import STOP_SECONDS, BackgroundWriter
from ai_engine_quality.sinks.log import MAX_LINES


@pytest.fixture
def writer():
    """Return a writer, whose thread ends after the test."""
    writer = BackgroundWriter(max_waiting=10)
    yield writer
    writer.close()


def call(quality, call_id):
    quality.call_started(call_id, provider="deepgram")
    quality.turn_response(call_id, 0.5)
    return quality.call_ended(call_id, duration=60.0)


class TestTheWriter:
    def test_jobs_are_done_in_their_order_by_another_thread(self, writer):
        """Each job is done once, in order, by one thread that isn't the caller's."""
        done = []
        for number in range(5):
            assert writer.put(lambda number=number: done.append((number, threading.get_ident())))
        assert writer.flush()
        assert [number for number, _ in done] == list(range(5))
        assert {thread for _, thread in done}.isdisjoint({threading.get_ident()})
        assert len({thread for _, thread in done}) == 1

    def test_what_does_not_fit_is_refused(self, writer):
        """While a job hangs, ten wait, and the next is refused; a flush tells that it waits."""
        free, done = threading.Event(), []
        begun = threading.Event()
        writer.put(lambda: (begun.set(), free.wait()))
        assert begun.wait(60)
        try:
            taken = [writer.put(lambda: done.append(1)) for _ in range(15)]
            assert taken == [True] * 10 + [False] * 5
            assert writer.flush(timeout=0.01) is False
        finally:
            free.set()
        assert writer.flush(60)
        assert len(done) == 10

    def test_a_thread_ends_with_close_and_begins_again(self, writer):
        """After ``close()`` no thread is left; a later job has a new one."""
        writer.put(int)
        first = writer._thread
        writer.close()
        first.join(60)
        assert not first.is_alive()
        assert writer._thread is None
        done = threading.Event()
        writer.put(done.set)
        assert done.wait(60)

    def test_what_comes_while_it_closes_is_done(self, writer):
        """A job that comes between ``close()`` and the end of the thread isn't forgotten."""
        for _ in range(300):
            done = threading.Event()
            writer.close()
            writer.put(done.set)
            assert done.wait(60)

    def test_a_stopped_writer_waits_for_what_still_comes(self, writer):
        """``stop()`` waits for what is there; later jobs are done when ``put`` returns."""
        done = []
        writer.put(lambda: done.append("before"))
        writer.stop()
        assert done == ["before"]
        for number in range(20):
            assert writer.put(lambda number=number: done.append(number))
            assert done[-1] == number
        writer.stop()
        assert len(done) == 21

    def test_a_stop_takes_no_longer_however_often_it_is_asked(self, writer, monkeypatch):
        """Where a job hangs, all waiting together is bounded: the time begins with the first."""
        waited = []
        monkeypatch.setattr(writer, "flush", waited.append)
        writer.stop()
        began = writer._stop_by
        writer.stop()
        writer.put(int)
        assert writer._stop_by == began
        assert 0 < waited[0] <= STOP_SECONDS
        assert waited == sorted(waited, reverse=True)

    def test_where_no_thread_can_be_had_jobs_are_done_at_once(self, writer, monkeypatch):
        """When the interpreter ends, threads stand still or don't begin: whoever asks does it."""
        done = []
        monkeypatch.setattr(sys, "is_finalizing", lambda: True)
        writer.put(lambda: done.append(threading.get_ident()))
        monkeypatch.undo()
        monkeypatch.setattr(threading.Thread, "start", no_more_threads)
        writer.put(lambda: done.append(threading.get_ident()))
        assert done == [threading.get_ident()] * 2
        monkeypatch.undo()
        writer.put(lambda: done.append(threading.get_ident()))
        assert writer.flush()
        assert done[2] != threading.get_ident()

    def test_a_job_may_flush(self, writer):
        """Flushing within a job can't wait for itself, and says so."""
        told = []
        writer.put(lambda: told.append(writer.flush()))
        assert writer.flush()
        assert told == [False]

    def test_a_monitor_has_one_thread(self, registry, logger, tmp_path):
        """Log, warnings and records of a monitor share a thread; it goes with the monitor."""
        before = set(threading.enumerate())
        quality = aeq.QualityMonitor(registry=registry, logger=logger, records=tmp_path / "r.jsonl")
        assert ours(before) == set()
        for number in range(5):
            call(quality, str(number))
            quality.turn_response("unknown", 0.5)
        (thread,) = ours(before)
        quality.close()
        thread.join(60)
        assert ours(before) == set()


def no_more_threads(_):
    raise RuntimeError("can't create new thread at interpreter shutdown")


def ours(before):
    """Return the library's threads that were not there before; other tests' own may end."""
    return {t for t in threading.enumerate() if t.name.startswith("ai-engine-quality")} - before


class TestAPipeThatNobodyReads:
    def test_the_engine_goes_on(self, tmp_path):
        """With stderr full, calls end, records are written, lines are counted, the exit comes."""
        path = tmp_path / "calls.jsonl"
        script = f"""
            import json, os, sys
            from prometheus_client import CollectorRegistry
            import ai_engine_quality as aeq

            registry = CollectorRegistry()
            quality = aeq.QualityMonitor(registry=registry, records={str(path)!r})
            for number in range(3_000):
                quality.call_started(str(number))
                quality.turn_response(str(number), 0.5)
                assert quality.call_ended(str(number), duration=60.0).score is not None
            lost = {{"reason": "log_not_written"}}
            lost = registry.get_sample_value("ai_agent_quality_dropped_total", lost)
            os.write(1, json.dumps(lost).encode())
        """
        read, write = os.pipe()
        try:
            done = subprocess.run(
                [sys.executable, "-c", textwrap.dedent(script)],
                stdout=subprocess.PIPE,
                stderr=write,
                check=False,
                timeout=120,
            )
        finally:
            os.close(read)
            os.close(write)
        assert done.returncode == 0
        assert 0 < float(done.stdout) <= 3_000 - MAX_LINES
        found = [score.call_id for score in aeq.read_records(path)]
        assert found == [str(number) for number in range(3_000)]

    def test_lines_that_do_not_fit_are_counted(self, registry, dropped):
        """A thousand calls wait to be logged; further ones are counted, and their calls scored."""
        free, begun, logged = threading.Event(), threading.Event(), []

        class Stuck:
            def info(self, event, **fields):
                begun.set()
                free.wait()
                logged.append((event, fields["call_id"]))

            warning = info

        quality = aeq.QualityMonitor(registry=registry, logger=Stuck())
        try:
            call(quality, "first")
            assert begun.wait(60)
            scores = [call(quality, str(number)) for number in range(MAX_LINES + 20)]
            assert None not in [score.score for score in scores]
            assert dropped("log_not_written") == 20
        finally:
            free.set()
        assert quality.flush(60)
        assert len(logged) == MAX_LINES + 1
        quality.close()


class TestTheEnginesContext:
    def test_what_the_log_is_bound_to_is_kept(self):
        """Structlog's context variables of the engine's task are on the call's event."""
        script = """
            import asyncio, sys
            import structlog
            from prometheus_client import CollectorRegistry
            import ai_engine_quality as aeq

            structlog.configure(processors=[
                structlog.contextvars.merge_contextvars, structlog.processors.JSONRenderer()])

            async def handle(number, quality):
                structlog.contextvars.bind_contextvars(session=number)
                quality.call_started(str(number))
                await asyncio.sleep(0)
                quality.call_ended(str(number), duration=1.0)

            async def main():
                quality = aeq.QualityMonitor(registry=CollectorRegistry())
                await asyncio.gather(*(handle(number, quality) for number in range(3)))

            asyncio.run(main())
        """
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script)],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        lines = done.stdout.splitlines()
        assert len(lines) == 3
        for line in lines:
            number = line.partition('"session": ')[2][0]
            assert f'"call_id": "{number}"' in line

    def test_words_are_made_by_the_writer(self, quality, monkeypatch, registry, logger):
        """The engine's thread renders neither explanations nor tracebacks."""
        threads = set()
        real = aeq.CallScore.explain

        def explain(self, **options):
            threads.add(threading.get_ident())
            return real(self, **options)

        monkeypatch.setattr(aeq.CallScore, "explain", explain)
        quality.close()
        logging = aeq.QualityMonitor(registry=registry, logger=logger)
        call(logging, "1.1")
        eventually(lambda: len(logger.calls) == 1)
        logging.close()
        assert threads
        assert threads.isdisjoint({threading.get_ident()})
