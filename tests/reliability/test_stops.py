"""Calls that are live when the engine stops: none vanishes, however it stops."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap

import pytest
from prometheus_client import CollectorRegistry

import ai_engine_quality as aeq
from ai_engine_quality import monitor as monitor_module
from ai_engine_quality.live import stopping

MANY = 20

ENGINE = """
    import asyncio, atexit, multiprocessing, os, signal, sys, threading, time
    from prometheus_client import CollectorRegistry
    import ai_engine_quality as aeq

    def monitor():
        return aeq.QualityMonitor(registry=CollectorRegistry(), records=sys.argv[1])

    def calls(quality):
        for number in range(20):
            quality.call_started(f"{os.getpid()}.{number}", provider="deepgram")
            for _ in range(number):
                quality.turn_response(f"{os.getpid()}.{number}", 0.5)
            quality.underflow(f"{os.getpid()}.{number}", 0)

    def end(quality):
        calls(quality)
        for number in range(20):
            quality.call_ended(f"{os.getpid()}.{number}", outcome="interrupted")

    def work():
        quality = monitor()
        calls(quality)
        return quality

    def work_and_wait():
        work()
        time.sleep(60)

    def me(number):
        os.kill(os.getpid(), number)
        time.sleep(60)

    async def serve(handled):
        quality, stop = work(), asyncio.Event()
        if handled:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        asyncio.get_running_loop().call_later(0.05, os.kill, os.getpid(), signal.SIGTERM)
        await stop.wait()

    def child(start, target, then=None):
        process = multiprocessing.get_context(start).Process(target=target)
        process.start()
        if then is not None:
            while not os.path.exists(sys.argv[1] + ".begun"):
                time.sleep(0.01)
            then(process)
        process.join()

    def begin_and_wait():
        work()
        open(sys.argv[1] + ".begun", "w").close()
        time.sleep(60)
"""

STOPS = {
    "close": ("quality = work(); quality.close()", 0),
    "the end of the program": ("work()", 0),
    "sys.exit": ("work(); sys.exit(3)", 3),
    "an exception": ("work(); raise RuntimeError('broken')", 1),
    "SIGINT": ("work(); me(signal.SIGINT)", -signal.SIGINT),
    "SIGTERM": ("work(); me(signal.SIGTERM)", -signal.SIGTERM),
    "SIGHUP": ("work(); me(signal.SIGHUP)", -signal.SIGHUP),
    "SIGTERM in a loop": ("asyncio.run(serve(False))", -signal.SIGTERM),
    "SIGTERM that the engine handles": ("asyncio.run(serve(True))", 0),
    "an end in an older atexit handler": (
        "atexit.register(lambda: end(quality)); quality = monitor()",
        0,
    ),
    "an end in an older atexit handler, where a thread writes already": (
        "atexit.register(lambda: end(quality)); quality = monitor(); quality.call_started('0')",
        0,
    ),
    "the end of a forked worker": ("child('fork', work)", 0),
    "the end of a spawned worker": ("child('spawn', work)", 0),
    "the end of a worker of a forkserver": ("child('forkserver', work)", 0),
    "the end of a worker that is forked with a monitor": (
        "quality = monitor(); child('fork', lambda: calls(quality))",
        0,
    ),
    "SIGTERM of a worker": ("child('fork', begin_and_wait, lambda p: p.terminate())", 0),
    "a fork that ends before": (
        "quality = work(); pid = os.fork(); pid or sys.exit(0); os.waitpid(pid, 0)",
        0,
    ),
}
"""What an engine does, and the exit code that it leaves."""


@pytest.mark.parametrize("stop", STOPS)
def test_live_calls_end_as_interrupted(tmp_path, stop):
    """Of 20 live calls 20 are recorded and logged as interrupted, and scored by their evidence."""
    program, code = STOPS[stop]
    path, script = tmp_path / "calls.jsonl", tmp_path / "engine.py"
    lines = "".join(f"\n    {line}" for line in program.split("; "))
    script.write_text(f"{textwrap.dedent(ENGINE)}\nif __name__ == '__main__':{lines}\n")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(script), str(path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert done.returncode == code, done.stderr
    found = [score for score in aeq.read_records(path) if score.call_id != "0"]
    assert [score.summary.outcome for score in found] == ["interrupted"] * MANY
    assert [score.turns for score in found] == list(range(MANY))
    assert [score.score is None for score in found] == [True] + [False] * (MANY - 1)
    logged = [line for line in done.stderr.splitlines() if "call_quality_scored" in line]
    assert len([line for line in logged if "call_id=0 " not in line]) == MANY, done.stderr


class TestClose:
    def test_it_counts_them_and_runs_hooks(self, quality, registry, monkeypatch):
        """Interrupted calls are counted and told to hooks like others."""
        told, ended = [], []
        monkeypatch.setattr(
            quality._prometheus,
            "close",
            lambda: ended.append(
                registry.get_sample_value(
                    "ai_agent_calls_ended_total",
                    {"provider": "deepgram", "outcome": "interrupted"},
                )
            ),
        )
        quality.add_hook(lambda score: told.append((score.call_id, score.summary.outcome)))
        for number in range(MANY):
            quality.call_started(str(number), provider="deepgram")
        quality.close()
        assert told == [(str(number), "interrupted") for number in range(MANY)]
        assert ended == [MANY]

    def test_its_time_is_bounded(self, registry, logger, monkeypatch):
        """What can't be ended in time is counted and told; nothing waits for it."""
        monkeypatch.setattr(monitor_module, "END_SECONDS", -1.0)
        quality = aeq.QualityMonitor(registry=registry, log=False, logger=logger)
        quality.call_started("1.1")
        quality.call_started("1.2")
        quality.stop()
        lost = {"reason": "not_ended_in_time"}
        assert registry.get_sample_value("ai_agent_quality_dropped_total", lost) == 2
        assert [call.kwargs["calls"] for call in logger.calls] == [2]
        quality.close()

    def test_hooks_get_a_part_of_the_time(self, registry, monkeypatch):
        """Late in the stop, calls are still counted and recorded, but hooks aren't run."""
        monkeypatch.setattr(monitor_module, "HOOK_SECONDS", -1.0)
        quality, told = aeq.QualityMonitor(registry=registry, log=False), []
        quality.add_hook(told.append)
        quality.call_started("1.1")
        quality.stop()
        unscored = {"reason": "abandoned"}
        assert registry.get_sample_value("ai_agent_calls_unscored_total", unscored) == 1
        assert told == []
        quality.close()


class TestSignals:
    def test_a_handler_of_the_engines_is_left_alone(self, registry):
        """What an engine handles itself it goes on handling; after close() all is as before."""

        def engines(*_):
            """Do what an engine does."""

        former = signal.signal(signal.SIGTERM, engines)
        try:
            quality = aeq.QualityMonitor(registry=registry, log=False)
            assert signal.getsignal(signal.SIGTERM) is engines
            quality.close()
            assert signal.getsignal(signal.SIGTERM) is engines
        finally:
            signal.signal(signal.SIGTERM, former)

    def test_the_last_monitor_gives_signals_back(self):
        """The default action is back once the last monitor is closed."""
        program = (
            "import signal, ai_engine_quality as aeq\n"
            "from prometheus_client import CollectorRegistry\n"
            "made = [aeq.QualityMonitor(registry=CollectorRegistry(), log=False) for _ in '12']\n"
            "handled = lambda: signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL\n"
            "print(handled())\n"
            "made.pop().close(); print(handled())\n"
            "made.pop().close(); print(handled())\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        )
        assert done.stdout.split() == ["True", "True", "False"]

    def test_a_signal_within_a_section_waits_for_it(self, monkeypatch):
        """A signal that interrupts the library itself is acted upon right after."""
        acted = []
        monkeypatch.setattr(stopping, "_die", acted.append)
        with stopping.SECTIONS:
            stopping._on_signal(signal.SIGTERM, None)
            assert acted == []
        assert acted == [signal.SIGTERM]


def test_a_closed_monitor_is_told_nothing_more():
    """At exit nobody asks a monitor that is closed."""
    quality = aeq.QualityMonitor(registry=CollectorRegistry(), log=False)
    assert quality in stopping._monitors
    quality.close()
    assert quality not in stopping._monitors
