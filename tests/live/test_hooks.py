"""Hooks get the score of each call that ends; none can harm another, or the engine."""

from __future__ import annotations

import asyncio
import functools
import gc
import operator
import weakref

import pytest
from prometheus_client import generate_latest

import ai_engine_quality as aeq
from ai_engine_quality.live.hooks import HookRunner


class Timer:
    """Time that passes only inside hooks that take some."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def taking(self, seconds, runs):
        """Return a hook that notes each run, and takes so many seconds."""

        def slow(score):
            del score
            self.now += seconds
            runs.append(seconds)

        return slow


def end_calls(quality, many=1, first=0):
    """Let so many calls begin and end."""
    for number in range(first, first + many):
        quality.call_started(f"1.{number}")
        quality.call_ended(f"1.{number}", duration=60.0)


class TestRunning:
    def test_a_hook_gets_the_score_that_call_ended_returns(self, quality):
        """A hook gets the call's own CallScore, once."""
        seen = []
        quality.add_hook(seen.append)
        quality.call_started("1.1")
        quality.turn_response("1.1", 0.4)
        score = quality.call_ended("1.1", duration=60.0)
        assert seen == [score]
        assert isinstance(score, aeq.CallScore)

    def test_the_decorator_gives_the_function_back(self, quality):
        """``@quality.on_call_end`` adds a hook and leaves the function what it was."""
        seen = []

        def page_someone(score):
            seen.append(score.call_id)

        assert quality.on_call_end(page_someone) is page_someone
        end_calls(quality)
        assert seen == ["1.0"]

    def test_hooks_run_in_the_order_in_which_they_were_added(self, quality):
        """The first hook added runs first."""
        order = []
        quality.add_hook(lambda _: order.append("first"))
        quality.add_hook(lambda _: order.append("second"))
        end_calls(quality)
        assert order == ["first", "second"]

    def test_an_unscored_call_is_told_too(self, quality):
        """A call without a score ends like any other: the hook sees why it has none."""
        seen = []
        quality.add_hook(seen.append)
        quality.call_started("1.1")
        quality.call_ended("1.1", duration=3.0)
        assert [(score.score, score.unscored_reason) for score in seen] == [(None, "abandoned")]

    def test_a_removed_hook_runs_no_more(self, quality):
        """After ``remove_hook`` a hook is not run, and can be added again."""
        seen = []
        hook = seen.append
        quality.add_hook(hook)
        quality.remove_hook(hook)
        end_calls(quality)
        assert seen == []
        quality.add_hook(hook)
        end_calls(quality, first=1)
        assert len(seen) == 1

    def test_a_second_end_runs_no_hook(self, quality):
        """A call that is ended twice is told once."""
        seen = []
        quality.add_hook(seen.append)
        end_calls(quality)
        assert quality.call_ended("1.0") is None
        assert len(seen) == 1

    def test_a_hook_can_add_and_remove_hooks(self, quality):
        """A hook that removes itself and adds another disturbs no other hook of that call."""
        seen = []

        def once(score):
            quality.remove_hook(once)
            quality.add_hook(lambda later: seen.append(("added", later.call_id)))
            seen.append(("once", score.call_id))

        quality.add_hook(once)
        quality.add_hook(lambda score: seen.append(("always", score.call_id)))
        end_calls(quality, many=2)
        assert seen == [
            ("once", "1.0"),
            ("always", "1.0"),
            ("always", "1.1"),
            ("added", "1.1"),
        ]


class PlainObject:
    """An object that is a hook."""

    def __call__(self, score):
        """Do nothing with a score."""


class AwaitableObject:
    """An object that nobody would await."""

    async def __call__(self, score):
        """Do nothing with a score."""


def by_name_only(*, score):
    """No hook: a score comes by position."""
    return score


def with_a_default(score, room="hall"):
    """A hook that serves elsewhere too."""
    return score, room


async def coroutine_hook(score):
    """Do nothing with a score, some time."""


class TestWrongHooks:
    @pytest.mark.parametrize("add", ["add_hook", "on_call_end"])
    def test_the_same_hook_twice_is_refused(self, quality, add):
        """A duplicate would page twice: ValueError, naming the hook and the fix."""

        def page_someone(score):
            """Do nothing with a score."""

        quality.add_hook(page_someone)
        with pytest.raises(ValueError, match=r"page_someone.*remove_hook"):
            getattr(quality, add)(page_someone)

    def test_the_same_method_twice_is_refused(self, quality):
        """Two bound methods of one object are the same hook."""
        hook = PlainObject()
        quality.add_hook(hook.__call__)
        with pytest.raises(ValueError, match="remove_hook"):
            quality.add_hook(hook.__call__)

    @pytest.mark.parametrize(
        "hook",
        [
            coroutine_hook,
            AwaitableObject(),
            functools.partial(coroutine_hook),
            AwaitableObject().__call__,
        ],
    )
    def test_a_coroutine_function_is_refused(self, quality, hook):
        """Nobody would await it: TypeError, naming the fix."""
        with pytest.raises(TypeError, match=r"coroutine.*create_task"):
            quality.add_hook(hook)
        end_calls(quality)

    @pytest.mark.parametrize(
        "hook",
        [lambda: None, operator.lt, by_name_only, [].clear],
        ids=["no argument", "two", "by name only", "of Python's own"],
    )
    def test_what_cannot_take_a_score_is_refused(self, quality, hook):
        """It would fail at every call's end: TypeError at once, naming the fix."""
        with pytest.raises(TypeError, match="one argument, the score"):
            quality.add_hook(hook)

    @pytest.mark.parametrize("hook", [lambda *_: None, with_a_default, print, [].append])
    def test_more_arguments_may_have_defaults(self, quality, hook):
        """Whatever can be called with the score alone is a hook."""
        quality.add_hook(hook)
        end_calls(quality)

    @pytest.mark.parametrize("hook", [None, 7, "page_someone", object()])
    def test_what_cannot_be_called_is_refused(self, quality, hook):
        """A hook is a function of the score: TypeError for anything else."""
        with pytest.raises(TypeError, match="hook"):
            quality.add_hook(hook)

    @pytest.mark.parametrize("hook", [print, PlainObject(), functools.partial(lambda score: score)])
    def test_any_plain_callable_is_one(self, quality, hook):
        """Functions, callable objects and partials are hooks."""
        quality.add_hook(hook)
        quality.remove_hook(hook)

    def test_removing_what_is_no_hook_is_refused(self, quality):
        """Removing a hook that isn't there is a mistake at start-up: ValueError."""
        with pytest.raises(ValueError, match="not a hook"):
            quality.remove_hook(print)


class TestFailingHooks:
    def test_a_hook_that_raises_harms_neither_the_call_nor_other_hooks(self, quality, registry):
        """A failing hook is counted by its name, and everything else happens all the same."""
        seen = []

        def broken(score):
            raise RuntimeError(score.call_id)

        quality.add_hook(broken)
        quality.add_hook(seen.append)
        quality.call_started("1.1")
        quality.turn_response("1.1", 0.4)
        score = quality.call_ended("1.1", duration=60.0)
        assert score.score == 89
        assert seen == [score]
        failures = {
            sample.labels["hook"]: sample.value
            for metric in registry.collect()
            for sample in metric.samples
            if sample.name == "ai_agent_quality_hook_failures_total"
        }
        assert [value for hook, value in failures.items() if "broken" in hook] == [1]
        assert sum(failures.values()) == 1

    def test_a_hook_that_always_raises_is_run_all_the_same(self, quality):
        """Only slow hooks are given up: one that raises gets every call."""
        runs = []

        def broken(score):
            runs.append(score)
            raise RuntimeError("broken")

        quality.add_hook(broken)
        end_calls(quality, many=20)
        assert len(runs) == 20

    def test_a_failing_hook_is_logged_once_a_minute_with_its_exception(
        self, quality, clock, logger
    ):
        """The log names the hook and shows the exception, once in a minute."""
        error = RuntimeError("broken")

        def broken(score):
            del score
            raise error

        quality.add_hook(broken)
        end_calls(quality, many=3)
        clock.advance(59)
        end_calls(quality, first=3)
        assert len(logger.calls) == 1
        assert "broken" in logger.calls[0].kwargs["subject"]
        assert "RuntimeError: broken" in logger.calls[0].kwargs["traceback"]
        clock.advance(1)
        end_calls(quality, first=4)
        assert len(logger.calls) == 2

    def test_a_hook_may_call_the_monitor(self, quality, dropped, registry):
        """A hook that reports, scrapes and ends calls, its own included, does no harm."""
        seen = []

        def recursive(score):
            seen.append(score.call_id)
            quality.turn_response(score.call_id, 0.4)  # late
            assert registry.get_sample_value("ai_agent_calls_active") == 2 - len(seen)
            assert quality.call_ended(score.call_id) is None  # ended already
            quality.call_ended("1.2", duration=60.0)

        quality.add_hook(recursive)
        quality.call_started("1.1")
        quality.call_started("1.2")
        assert quality.call_ended("1.1", duration=60.0) is not None
        assert seen == ["1.1", "1.2"]
        assert dropped("call_ended") == 2 + 2 + 1  # late turns, ends from within, 1.2 once more
        assert registry.get_sample_value("ai_agent_calls_active") == 0

    @pytest.mark.parametrize("error", [asyncio.CancelledError, GeneratorExit, BaseExceptionGroup])
    def test_a_cancellation_stays_within_its_hook(self, quality, registry, clock, error):
        """CancelledError out of a hook leaves neither ``call_ended`` nor a scrape's expiry."""
        seen = []

        def cancelled(score):
            del score
            raise error("cancelled", [KeyboardInterrupt()]) if "Group" in str(error) else error

        quality.add_hook(cancelled)
        quality.add_hook(seen.append)
        quality.call_started("1.1")
        assert quality.call_ended("1.1", duration=60.0) is seen[0]
        quality.call_started("1.2")
        clock.advance(5 * 3_600)
        assert b"ai_agent_call_quality_score" in generate_latest(registry)
        assert [score.unscored_reason for score in seen] == ["too_little_evidence", "expired"]

    def test_a_hook_whose_name_can_not_be_read_harms_nobody(self, quality, registry):
        """It fails, and its name raises too: the hooks after it run, and it is counted."""

        class Nameless:
            def __getattribute__(self, name):
                if name == "__qualname__":
                    raise RuntimeError(name)
                return super().__getattribute__(name)

            def __call__(self, score):
                raise ValueError(score)

        seen = []
        quality.add_hook(Nameless())
        quality.add_hook(seen.append)
        quality.call_started("1.1")
        assert quality.call_ended("1.1", duration=60.0) is seen[0]
        assert "Nameless" in generate_latest(registry).decode()

    @pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
    def test_what_is_meant_to_end_the_process_does(self, quality, registry, error):
        """SystemExit out of a hook goes on; the call is counted all the same."""

        def leave(score):
            del score
            raise error

        quality.add_hook(leave)
        quality.call_started("1.1", provider="deepgram")
        with pytest.raises(error):
            quality.call_ended("1.1", duration=60.0)
        quality.remove_hook(leave)
        ended = {"provider": "deepgram", "outcome": "unknown"}
        assert registry.get_sample_value("ai_agent_calls_ended_total", ended) == 1


class Hooks:
    """Its methods are hooks: each look at one makes it anew, with an id that others had."""

    def __init__(self, timer, seconds):
        self.runs, self._timer, self._seconds = 0, timer, seconds

    def __call__(self, score):
        """Take its time."""
        del score
        self.runs += 1
        self._timer.now += self._seconds

    def method(self, score):
        """Take its time, likewise."""
        self(score)


class TestSlowHooks:
    @pytest.mark.parametrize("how", ["the same", "a method", "another of the same address"])
    def test_a_removed_hook_begins_anew(self, how):
        """Slow runs are a hook's own: removed and added again, it has all five of them."""
        timer = Timer()
        runner, hooks = HookRunner(lambda *_: None, timer=timer), Hooks(timer, 0.2)
        for _ in range(8):
            if how == "another of the same address":
                hooks = Hooks(timer, 0.2)
            hook = hooks.method if how == "a method" else hooks
            runner.add(hook)
            for _ in range(4):
                runner.run(None)
            runner.remove(hooks.method if how == "a method" else hooks)
        assert hooks.runs == (4 if how == "another of the same address" else 32)
        runner.add(hooks)
        for _ in range(9):
            runner.run(None)
        assert hooks.runs == (9 if how == "another of the same address" else 37)

    def test_a_hook_that_takes_its_own_place_is_a_new_one(self):
        """A hook that removes and adds itself within its slow run isn't given up for that run."""
        timer, runs = Timer(), []
        runner = HookRunner(lambda *_: None, timer=timer)

        def again(score):
            del score
            runs.append(1)
            timer.now += 0.2
            runner.remove(again)
            runner.add(again)

        runner.add(again)
        for _ in range(20):
            runner.run(None)
        assert len(runs) == 20

    def test_nothing_is_left_of_a_removed_hook(self):
        """A thousand hooks that came, were slow and went leave nothing in memory."""
        timer, gone = Timer(), []
        runner = HookRunner(lambda *_: None, timer=timer)
        for _ in range(1_000):
            hooks = Hooks(timer, 0.2)
            gone.append(weakref.ref(hooks))
            runner.add(hooks.method)
            runner.run(None)
            runner.remove(hooks.method)
        del hooks
        gc.collect()
        assert [ref for ref in gone if ref() is not None] == []
        assert [value for value in vars(runner).values() if value in ([], {})] == [[]]

    def test_the_librarys_own_outputs_are_never_given_up(self, registry, monkeypatch):
        """However slow metrics, records and log are: each call is counted, and each is told."""
        quality, taken = aeq.QualityMonitor(registry=registry, records="/dev/null"), []
        timer = Timer()
        quality._own_hooks._timer = timer
        for output in (quality._prometheus, quality._records, quality._log):
            kind = type(output)

            def slow(self, score, *, real=kind.__call__):
                timer.now += 1.0
                taken.append(type(self).__name__)
                real(self, score)

            monkeypatch.setattr(kind, "__call__", slow)
        end_calls(quality, many=50)
        quality.close()
        assert {kind: taken.count(kind) for kind in taken} == {
            "PrometheusSink": 50,
            "RecordFile": 50,
            "LogSink": 50,
        }

    def test_a_hook_is_given_up_after_five_runs_over_50_ms(self):
        """The fifth slow run is the last one; each is reported as slow, by the hook's name."""
        timer, runs, reports = Timer(), [], []
        runner = HookRunner(lambda name, error: reports.append((name, error)), timer=timer)
        runner.add(timer.taking(0.051, runs))
        for _ in range(8):
            runner.run(None)
        assert len(runs) == 5
        assert [error for _, error in reports] == [None] * 5
        assert all("slow" in name for name, _ in reports)

    @pytest.mark.parametrize("seconds", [0.0, 0.049, 0.05])
    def test_a_hook_that_takes_50_ms_or_less_is_never_given_up(self, seconds):
        """Only more than 50 ms is slow."""
        timer, runs, reports = Timer(), [], []
        runner = HookRunner(lambda name, error: reports.append((name, error)), timer=timer)
        runner.add(timer.taking(seconds, runs))
        for _ in range(10):
            timer.now = 0.0  # so that no rounding adds up
            runner.run(None)
        assert (len(runs), reports) == (10, [])

    def test_slow_runs_need_not_be_in_a_row(self):
        """Fast runs in between don't make a hook's slow ones forgotten."""
        timer, runs = Timer(), []
        runner = HookRunner(lambda *_: None, timer=timer)

        def now_and_then(score):
            del score
            runs.append(1)
            timer.now += 0.1 if len(runs) % 3 == 0 else 0.0

        runner.add(now_and_then)
        for _ in range(40):
            runner.run(None)
        assert len(runs) == 15

    @pytest.mark.parametrize(("fast", "runs"), [(999, 4_001), (1_000, 10_010)])
    def test_a_thousand_fast_runs_make_slow_ones_forgotten(self, fast, runs):
        """Slow once in 1,000 runs, a hook is given up; once in more, the machine was busy."""
        timer, seen = Timer(), []
        runner = HookRunner(lambda *_: None, timer=timer)

        def rarely(score):
            del score
            timer.now += 0.1 if len(seen) % (fast + 1) == 0 else 0.0
            seen.append(1)

        runner.add(rarely)
        for _ in range(10_010):
            runner.run(None)
        assert len(seen) == runs

    def test_what_is_forgotten_is_forgotten_wholly(self):
        """After 1,000 fast runs a hook is given up after five slow ones again, not after fewer."""
        timer, seen = Timer(), []
        runner = HookRunner(lambda *_: None, timer=timer)
        slow = [True] * 4 + [False] * 1_000 + [True] * 9

        def hook(score):
            del score
            timer.now += 0.1 if slow[len(seen)] else 0.0
            seen.append(1)

        runner.add(hook)
        for _ in slow:
            runner.run(None)
        assert len(seen) == 4 + 1_000 + 5

    def test_hooks_within_hooks_are_refused_by_name(self):
        """At the ninth depth no hook is run: each is told of, with what to do instead."""
        told = []
        runner = HookRunner(lambda name, error: told.append((name, error)))

        def again(score):
            runner.run(score)

        runner.add(again)
        runner.run(None)
        ((name, error),) = told
        assert name.endswith("again")
        assert isinstance(error, RecursionError)
        assert str(error) == "hooks ended calls within hooks, 8 deep; start a task for them"
        runner.run(None)
        assert len(told) == 2

    def test_who_is_no_hook_is_named(self):
        """Removing what was never added says what that was."""
        with pytest.raises(ValueError, match=r"test_hooks\.Timer is not a hook of this monitor"):
            HookRunner(lambda *_: None).remove(Timer)

    def test_a_slow_hook_costs_no_other_one_its_place(self):
        """When a slow hook is given up, the others run on."""
        timer, slow, fast = Timer(), [], []
        runner = HookRunner(lambda *_: None, timer=timer)
        runner.add(timer.taking(0.2, slow))
        runner.add(timer.taking(0.0, fast))
        for _ in range(9):
            runner.run(None)
        assert (len(slow), len(fast)) == (5, 9)

    def test_a_hook_that_was_given_up_can_be_added_again(self):
        """Whoever fixes a slow hook adds it again, with all its five runs."""
        timer, runs = Timer(), []
        runner = HookRunner(lambda *_: None, timer=timer)
        hook = timer.taking(0.2, runs)
        runner.add(hook)
        for _ in range(6):
            runner.run(None)
        runner.add(hook)
        for _ in range(6):
            runner.run(None)
        assert len(runs) == 10

    def test_a_hook_that_is_slow_and_raises_is_given_up_too(self):
        """Raising doesn't hide how long it took."""
        timer, runs = Timer(), []
        runner = HookRunner(lambda *_: None, timer=timer)

        def slow_and_broken(score):
            del score
            runs.append(1)
            timer.now += 0.2
            raise RuntimeError("broken")

        runner.add(slow_and_broken)
        for _ in range(9):
            runner.run(None)
        assert len(runs) == 5

    def test_what_reporting_a_failure_takes_is_not_the_hooks_fault(self):
        """A hook that raises at once is not slow because its traceback takes long to log."""
        timer, reports = Timer(), []

        def report(name, error):
            reports.append((name, error))
            timer.now += 0.2

        def broken(score):
            del score
            raise RuntimeError("broken")

        runner = HookRunner(report, timer=timer)
        runner.add(broken)
        for _ in range(9):
            runner.run(None)
        assert [type(error) for _, error in reports] == [RuntimeError] * 9

    def test_a_monitor_counts_and_gives_up_its_slow_hooks(self, quality, registry):
        """A monitor's slow hook is counted under its name, and its calls are scored on."""
        timer, runs = Timer(), []
        quality._hooks._timer = timer
        quality.add_hook(timer.taking(0.06, runs))
        end_calls(quality, many=7)
        assert len(runs) == 5
        failures = [
            (sample.labels["hook"], sample.value)
            for metric in registry.collect()
            for sample in metric.samples
            if sample.name == "ai_agent_quality_hook_failures_total"
        ]
        assert [value for _, value in failures] == [5]
        assert "slow" in failures[0][0]
        assert registry.get_sample_value("ai_agent_calls_active") == 0
