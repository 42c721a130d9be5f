"""The engine never notices: results, exceptions, cancellations and the number of its steps."""

# ruff: noqa: ARG001, ARG005  # doubles take what the originals take

from __future__ import annotations

import asyncio
import contextvars
import inspect
import time
from collections.abc import Callable, Generator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from engine_doubles import CALL

import ai_engine_quality as aeq
from ai_engine_quality.adapters.ava.lifecycle import LifecycleObserver
from ai_engine_quality.adapters.ava.provider_events import ProviderEventObserver
from ai_engine_quality.adapters.ava.streams import StreamObserver
from ai_engine_quality.adapters.timer import Timer

ASYNC = {
    "session_store.remove_call": (CALL,),
    "conversation_coordinator.register_call": (SimpleNamespace(call_id="new", provider_name="x"),),
    "streaming_playback_manager._cleanup_stream": (CALL, "stream:0"),
    "streaming_playback_manager._record_fallback": (CALL, "transport-failure"),
    ".on_provider_event": ({"type": "AgentAudio", "call_id": CALL, "data": b"\xff" * 160},),
    "._cleanup_call": (CALL,),
}
"""Wrapped methods, and what they are called with."""


def part_of(engine: Any, place: str) -> tuple[Any, str]:
    """Return the object that has a method, and the method's name."""
    owner, name = place.split(".")
    return (getattr(engine, owner) if owner else engine), name


class FaultError(Exception):
    """What the engine's own method raises."""


@pytest.mark.parametrize("place", ASYNC)
@pytest.mark.parametrize(
    "raised", [FaultError("theirs"), asyncio.CancelledError(), KeyboardInterrupt()]
)
def test_what_the_engine_raises_passes_unchanged(
    generation: ModuleType, attached: Any, place: str, raised: BaseException
) -> None:
    """The very same exception arrives, a cancellation included, and no call has ended by it."""
    engine = generation.Engine()
    owner, name = part_of(engine, place)
    original = getattr(type(owner), name)

    async def raising(self: Any, *args: Any, **kwargs: Any) -> Any:
        raise raised

    raising.__signature__ = inspect.signature(original)
    cls = type("Raising", (type(owner),), {name: raising, "__module__": type(owner).__module__})
    owner.__class__ = cls
    double = attached(engine)

    def call() -> BaseException | None:
        coroutine = getattr(owner, name)(*ASYNC[place])
        try:
            coroutine.send(None)
        except BaseException as error:
            return error
        return None

    async def main() -> None:
        if name != "register_call":
            await double.call()
        assert call() is raised
        assert double.scores == []

    asyncio.run(main())


@pytest.mark.parametrize("place", ASYNC)
def test_no_step_is_added_between_the_engines_own(
    generation: ModuleType, attached: Any, place: str
) -> None:
    """Driven by hand, a wrapped coroutine yields as often as the bare one, and returns the same."""

    async def main() -> None:
        counts = []
        for observe in (False, True):
            engine = generation.Engine()
            double = attached(engine) if observe else None
            session = engine.session_class(CALL, CALL)
            await engine._save_session(session, new=True)
            engine.streaming_playback_manager.active_streams[CALL] = {"stream_id": "stream:0"}
            owner, name = part_of(engine, place)
            counts.append(_steps(getattr(owner, name)(*ASYNC[place])))
            if double is not None:
                double.observer.timer.cancel()
        assert counts[0][0] == counts[1][0]
        assert type(counts[0][1]) is type(counts[1][1])

    asyncio.run(main())


def _steps(coroutine: Generator[Any, Any, Any]) -> tuple[int, Any]:
    steps = 0
    while True:
        try:
            coroutine.send(None)
        except StopIteration as stopped:
            return steps, stopped.value
        steps += 1


def test_a_cancelled_task_of_the_engines_is_cancelled(
    generation: ModuleType, attached: Any
) -> None:
    """A clean-up that is cancelled in the middle ends as cancelled, and the call is still live."""

    async def main() -> None:
        engine = generation.Engine()
        double = attached(engine)

        async def forever(session: Any) -> None:
            await asyncio.Event().wait()

        engine._before_removal = forever
        session = await double.call()
        task = asyncio.create_task(engine._cleanup_call(session.call_id))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()
        assert double.scores == []
        await engine.session_store.remove_call(session.call_id)
        assert len(double.scores) == 1

    asyncio.run(main())


def test_results_are_returned_untouched(today: ModuleType, attached: Any) -> None:
    """The very session, the very tuple, and the histogram's own child."""

    async def main() -> None:
        engine = today.Engine()
        targets = ("slin", 8000, "a remedy")
        engine._resolve_stream_targets = lambda session, provider_name: targets
        double = attached(engine)
        session = await double.call()
        assert engine._resolve_stream_targets(session, "deepgram") is targets
        assert await engine.session_store.remove_call(session.call_id) is session
        assert await engine.session_store.remove_call(session.call_id) is None
        child = today._TURN_RESPONSE_SECONDS.labels("p", "q")
        assert today._TURN_RESPONSE_SECONDS.labels(provider="q", pipeline="p") is child

    asyncio.run(main())


def test_arguments_may_be_named(today: ModuleType, attached: Any) -> None:
    """However the engine passes them, the observers find theirs."""

    async def main() -> aeq.CallScore:
        double = attached(today.Engine())
        session = await double.call()
        manager = double.engine.streaming_playback_manager
        await manager._record_fallback(reason="transport-failure", call_id=session.call_id)
        double.engine._resolve_stream_targets(provider_name=None, session=session)
        await double.engine.session_store.remove_call(call_id=session.call_id)
        return double.scores[0]

    summary = asyncio.run(main()).summary
    assert (summary.fallbacks, summary.codec_checks) == (1, 1)


OBSERVERS = {
    (LifecycleObserver, "call_started"): "conversation_coordinator.register_call",
    (StreamObserver, "stream_ends"): "streaming_playback_manager._cleanup_stream",
    (StreamObserver, "stream_ended"): "streaming_playback_manager._cleanup_stream",
    (StreamObserver, "fell_back"): "streaming_playback_manager._record_fallback",
    (ProviderEventObserver, "provider_event"): ".on_provider_event",
    (LifecycleObserver, "cleanup_begins"): "._cleanup_call",
    (LifecycleObserver, "cleanup_returned"): "._cleanup_call",
    (LifecycleObserver, "call_removed"): "session_store.remove_call",
}


@pytest.mark.parametrize("observer", OBSERVERS, ids=lambda observer: observer[1])
def test_an_observer_that_raises_is_counted_and_nothing_else(
    generation: ModuleType,
    attached: Any,
    observer: tuple[type, str],
    monkeypatch: pytest.MonkeyPatch,
    dropped: Callable[[str], float],
) -> None:
    """The engine's method does what it does, and returns what it returns."""

    def broken(*args: object) -> None:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr(*observer, broken)
    place = OBSERVERS[observer]

    async def main() -> None:
        engine = generation.Engine()
        double = attached(engine)
        session = await double.call()
        double.stream(frames_sent=5)
        before = dropped("internal_error")
        owner, name = part_of(engine, place)
        result = await getattr(owner, name)(*ASYNC[place])
        assert dropped("internal_error") > before
        if name == "remove_call":
            assert result is session

    asyncio.run(main())


def test_a_histogram_is_observed_whatever_its_listeners_raise(
    generation: ModuleType,
    attached: Any,
    monkeypatch: pytest.MonkeyPatch,
    dropped: Callable[[str], float],
) -> None:
    """One attachment's fault is counted there, and the other attachment still listens."""

    async def main() -> aeq.CallScore:
        first, second = attached(generation.Engine()), attached(generation.Engine())
        await first.call("1.1")
        await second.call("2.2")

        def broken(*args: object) -> None:
            raise ZeroDivisionError("ours")

        monkeypatch.setattr(first.observer.barge_ins._pending, "observed", broken)
        monkeypatch.setattr(first.context, "call", broken)
        await second.engine.interrupt("2.2", 0.3)
        monkeypatch.undo()
        return await second.hang_up("2.2")

    before = dropped("internal_error")
    assert asyncio.run(main()).summary.barge_in_reactions == (0.3,)
    assert dropped("internal_error") > before


def test_an_engine_whose_records_are_of_another_kind_is_not_harmed(
    today: ModuleType, attached: Any, dropped: Callable[[str], float]
) -> None:
    """Whatever stands where numbers stood is counted, and the call ends with all the rest."""

    async def main() -> aeq.CallScore:
        double = attached(today.Engine())
        engine = double.engine
        session = await double.call()
        engine.streaming_playback_manager.active_streams = None
        session.turn_latencies_ms = [{"seconds": 1}, "900", None, float("nan")]
        session.audio_diagnostics = {"provider_out": {"rms": "loud"}, 3: {"rms": 1}}
        session.codec_alignment_ok = "yes"
        session.provider_name = 7
        await engine.on_provider_event({"type": "AgentAudio", "call_id": CALL, "data": 5})
        await engine.on_provider_event({"type": ["AgentAudio"], "call_id": {}})
        engine._resolve_stream_targets(session, "deepgram")
        await engine._apply_barge_in_action(session.call_id, source="local_vad", reason="words")
        double.poll()
        return await double.hang_up()

    summary = asyncio.run(main()).summary
    assert summary.barge_ins == 1
    assert summary.codec_checks is None
    assert dropped("internal_error") >= 2


@pytest.mark.parametrize("forgets", ["sound", "barge_ins"])
def test_a_call_ends_whatever_can_not_be_forgotten(
    generation: ModuleType,
    attached: Any,
    monkeypatch: pytest.MonkeyPatch,
    dropped: Callable[[str], float],
    forgets: str,
) -> None:
    """What is left of one observer is counted; the call is scored, and the others forget it."""

    def broken(*args: object) -> None:
        raise ZeroDivisionError("ours")

    async def main() -> aeq.CallScore:
        double = attached(generation.Engine())
        await double.call()
        observer = double.observer
        forgotten: list[str] = []
        for name in ("sound", "barge_ins"):
            heard = broken if name == forgets else forgotten.append
            monkeypatch.setattr(getattr(observer, name), "forget", heard)
        observer.lifecycle._on_forget = (observer.barge_ins.forget, observer.sound.forget)
        score = await double.hang_up()
        assert forgotten == [CALL]
        assert double.context.calls == {}
        return score

    before = dropped("internal_error")
    assert asyncio.run(main()).summary.call_id == CALL
    assert dropped("internal_error") == before + 1


def test_a_call_whose_session_can_not_be_read_ends_all_the_same(
    today: ModuleType, attached: Any, dropped: Callable[[str], float]
) -> None:
    """Its outcome is unknown, and who answered is what was known; it doesn't wait to expire."""

    class Unreadable(today.CallSession):
        @property
        def call_outcome(self) -> str:
            raise ZeroDivisionError("theirs")

        @call_outcome.setter
        def call_outcome(self, value: str) -> None:
            pass

    async def main() -> aeq.CallScore:
        double = attached(today.Engine())
        session = Unreadable(CALL, CALL, provider_name="deepgram")
        await double.engine._save_session(session, new=True)
        await double.engine.session_store.remove_call(CALL)
        return double.scores[0]

    before = dropped("internal_error")
    summary = asyncio.run(main()).summary
    assert (summary.provider, summary.outcome, summary.failed) == ("deepgram", "unknown", False)
    assert dropped("internal_error") > before


# The timer.


def test_one_task_polls_all_calls_and_ends_with_the_last(
    generation: ModuleType, attached: Any
) -> None:
    """It starts with the first call in the engine's own loop, and an idle engine has none."""

    async def main() -> None:
        double = attached(generation.Engine())
        timer = double.observer.timer
        timer.between = 0.01
        assert not timer.running
        for call_id in ("1.1", "2.2", "3.3"):
            await double.call(call_id)
        assert [task.get_name() for task in _ours()] == ["ai-engine-quality-timer"]
        double.engine.session_store.sessions["2.2"].audio_diagnostics["provider_out"] = {"rms": 900}
        await _until(lambda: "provider_out" in double.so_far("2.2").audio)
        assert double.so_far("2.2").audio["provider_out"].frames == 1
        for call_id in ("1.1", "2.2", "3.3"):
            await double.hang_up(call_id)
        await _until(lambda: _ours() == [])
        await double.call("4.4")
        assert timer.running

    asyncio.run(main())


def test_an_engine_without_calls_has_no_task_of_ours(today: ModuleType, attached: Any) -> None:
    """The last call's end ends the timer, which doesn't wait for its next poll."""

    async def main() -> None:
        double = attached(today.Engine())
        double.observer.timer.between = 600.0
        await double.call()
        assert len(_ours()) == 1
        await double.hang_up()
        await _until(lambda: _ours() == [])

    asyncio.run(main())


async def _until(holds: Callable[[], bool]) -> None:
    """Wait for a state, however long a busy machine takes over it."""
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110  # the observed state has no event
            await asyncio.sleep(0.005)


def _ours() -> list[asyncio.Task[Any]]:
    return [task for task in asyncio.all_tasks() if "quality" in task.get_name()]


def test_the_timer_survives_what_a_poll_raises(
    today: ModuleType, attached: Any, dropped: Callable[[str], float]
) -> None:
    """One call that can't be polled is counted, and the others are polled."""

    async def main() -> None:
        double = attached(today.Engine())
        double.observer.timer.between = 0.01
        broken = await double.call("1.1")
        whole = await double.call("2.2")
        broken.turn_latencies_ms.append({})
        whole.turn_latencies_ms.append(800.0)
        await _until(lambda: double.so_far("2.2").turn_latencies == (0.8,))
        assert double.observer.timer.running

    asyncio.run(main())
    assert dropped("internal_error") >= 1


def test_the_timer_never_keeps_a_loop_alive(today: ModuleType, attached: Any) -> None:
    """`asyncio.run` ends with a call in progress; the next loop has a task of its own."""
    double = attached(today.Engine())

    async def main(call_id: str) -> asyncio.Task[None]:
        await double.call(call_id)
        return double.observer.timer._task

    first = asyncio.run(main("1.1"))
    assert first.cancelled()
    second = asyncio.run(main("2.2"))
    assert second is not first
    double.attachment.detach()  # its loop is closed by now


def test_detach_stops_the_timer(today: ModuleType, attached: Any) -> None:
    """No task of ours is left, although a call is still in progress."""

    async def main() -> None:
        double = attached(today.Engine())
        await double.call()
        double.attachment.detach()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert _ours() == []

    asyncio.run(main())


def test_the_timer_lets_the_loop_have_its_turn() -> None:
    """Between fifty calls and the next fifty, whoever paces audio runs; contexts aren't mixed."""
    call_of = contextvars.ContextVar("call_of", default="nobody")
    happened: list[str] = []

    def poll(call: int, seconds: float) -> None:
        assert call_of.get() == "nobody"
        happened.append("poll")

    async def main() -> None:
        call_of.set("the first call")
        timer = Timer(poll, lambda: range(120), lambda error: None, 0.01)
        timer.ensure_running()
        while happened.count("poll") < 120:
            happened.append("audio")
            await asyncio.sleep(0)
        timer.cancel()
        await asyncio.sleep(0)

    asyncio.run(main())
    order = "".join(what[0] for what in happened).strip("a")
    assert max(len(polls) for polls in order.split("a")) <= 50


def test_a_loop_that_stood_still_has_heard_nothing() -> None:
    """What a level stands for is bounded, so that a long pause doesn't count as speech."""
    lasted: list[float] = []

    async def main() -> None:
        timer = Timer(lambda call, seconds: lasted.append(seconds), lambda: [1], print, 0.01)
        timer.ensure_running()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        time.sleep(0.2)  # noqa: ASYNC251  # the loop is to stand still
        await asyncio.sleep(0.03)
        timer.cancel()
        await asyncio.sleep(0)

    asyncio.run(main())
    assert lasted
    assert max(lasted) <= 0.02
