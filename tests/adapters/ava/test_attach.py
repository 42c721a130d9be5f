"""Attaching: what is set is reported, what can't be set is reported too, and all is taken back."""

from __future__ import annotations

import asyncio
import gc
import inspect
import sys
import weakref
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from prometheus_client import REGISTRY, CollectorRegistry

import ai_engine_quality as aeq
from ai_engine_quality.adapters import attach
from ai_engine_quality.adapters.ava import engine_facts
from ai_engine_quality.adapters.shared_monitor import shared_monitor
from ai_engine_quality.adapters.wraps import CannotWrap, Wraps

WRAPPED = ("on_provider_event", "_cleanup_call", "_resolve_stream_targets")
FACTORS = ["calls", "latency", "underflow", "fallback", "barge_in", "codec", "rms"]

# What becomes of which factor when an attribute of the engine is missing.
SERVES = {
    "streaming_playback_manager._cleanup_stream": "underflow",
    "streaming_playback_manager.active_streams": "underflow",
    "conversation_coordinator.register_call": "calls",
}


def attributes(engine: Any, module: ModuleType) -> dict[str, dict[str, Any]]:
    """Return every attribute of the engine's objects that could be wrapped."""
    parts = {
        "engine": engine,
        "store": engine.session_store,
        "coordinator": engine.conversation_coordinator,
        "manager": engine.streaming_playback_manager,
        "reactions": module._BARGE_REACTION_SECONDS,
        "turns": module._TURN_RESPONSE_SECONDS,
        **engine.providers,
    }
    return {name: dict(vars(part)) for name, part in parts.items()}


def test_every_factor_is_live_on_both_generations(generation: ModuleType, attached: Any) -> None:
    """The report names, for each factor, what serves it."""
    report = attached(generation.Engine()).attachment.report()
    assert list(report) == FACTORS
    assert all(entry.live and entry.how and not entry.why_not for entry in report.values())
    assert str(report["fallback"]) == "live: streaming_playback_manager._record_fallback"


def test_the_report_is_exported_and_logged_once(
    today: ModuleType, attached: Any, registry: CollectorRegistry, logged: list[Any]
) -> None:
    """Dashboards see what is live, and which engine this is; the log says the same."""
    engine = today.Engine()
    engine.streaming_playback_manager = None
    attached(engine)
    live = {
        factor: registry.get_sample_value(
            "ai_agent_quality_hook_live", {"factor": factor, "clock": "told"}
        )
        for factor in FACTORS
    }
    assert live == dict.fromkeys(FACTORS, 1.0) | {"underflow": 0.0, "fallback": 1.0}
    labels = {"version": "unknown", "audio_transport": "audiosocket"}
    assert registry.get_sample_value("ai_agent_engine_info", labels) == 1.0
    (event,) = [entry for entry in logged if entry["event"] == "quality_attached"]
    assert list(event["missing"]) == ["underflow"]
    assert event["log_level"] == "warning"


def test_an_engine_that_is_gone_is_gone(
    generation: ModuleType, quality: aeq.QualityMonitor
) -> None:
    """Nothing of ours keeps an engine that nobody needs, and it leaves nothing in its module."""
    histograms = (generation._BARGE_REACTION_SECONDS, generation._TURN_RESPONSE_SECONDS)
    before = [dict(vars(each)) for each in histograms]

    async def one_call() -> weakref.ref[Any]:
        engine = generation.Engine()
        aeq.attach(engine, quality)
        await engine._save_session(engine.session_class("1.1", "1.1"), new=True)
        await engine._cleanup_call("1.1")
        return weakref.ref(engine)

    gone = asyncio.run(one_call())
    gc.collect()
    assert gone() is None
    assert [vars(each).keys() for each in histograms] == [each.keys() for each in before]


@pytest.mark.parametrize(
    "name",
    [
        "config",
        "session_store",
        "conversation_coordinator",
        "streaming_playback_manager",
        "ari_client",
        "providers",
        "_call_providers",
        "rtp_server",
        "_on_rtp_audio",
        "_update_audio_diagnostics",
        "on_provider_event",
    ],
)
def test_an_attribute_that_raises_when_it_is_looked_at_raises_no_further(
    generation: ModuleType, attached: Any, name: str
) -> None:
    """Attaching is often a line in the engine's constructor: it reports, and goes on."""

    def raises(_engine: Any) -> Any:
        raise ZeroDivisionError("theirs")

    engine = generation.Engine()
    own = vars(engine).pop(name, None)
    hostile = property(raises, lambda _engine, _value: None)
    engine.__class__ = type(
        "Engine", (type(engine),), {name: hostile, "__module__": type(engine).__module__}
    )
    before = set(vars(engine))
    double = attached(engine)
    assert list(double.attachment.report()) == FACTORS
    assert double.attachment.detach() == ()
    assert set(vars(engine)) == before
    assert own is None or name not in before


@pytest.mark.parametrize("place", SERVES)
def test_a_missing_attribute_is_reported_and_the_rest_works(
    generation: ModuleType, attached: Any, place: str
) -> None:
    """The factor that it serves isn't live, with the reason; all else is as before."""
    engine = generation.Engine()
    owner, name = place.split(".")
    setattr(getattr(engine, owner), name, None)
    report = attached(engine).attachment.report()
    dead = [factor for factor, entry in report.items() if not entry.live]
    assert dead == (FACTORS if SERVES[place] == "calls" else [SERVES[place]])
    assert name in report[SERVES[place]].why_not


def test_what_has_a_substitute_stays_live_and_says_so(today: ModuleType, attached: Any) -> None:
    """Fallbacks are read from the session, ends from the coordinator, where the best is gone."""
    engine = today.Engine()
    engine.streaming_playback_manager._record_fallback = None
    engine.session_store.remove_call = None
    engine.on_provider_event = None
    report = attached(engine).attachment.report()
    assert "session.streaming_fallback_count" in report["fallback"].how
    assert "unregister_call" in report["calls"].how
    assert "idle fillers count too" in report["underflow"].how
    assert all(entry.live for entry in report.values())


def test_a_call_ends_by_the_coordinator_where_the_store_tells_nothing(
    today: ModuleType, attached: Any
) -> None:
    """Its session is known from the start, so that nothing is lost but the certainty."""
    engine = today.Engine()

    async def remove(session: Any) -> None:
        del session

    engine.session_store.remove_call = remove
    engine.streaming_playback_manager._record_fallback = None

    async def main() -> aeq.CallScore:
        double = attached(engine)
        session = await double.call(provider_name="deepgram")
        session.streaming_fallback_count = 2
        await engine.conversation_coordinator.unregister_call(session.call_id)
        return double.scores[0]

    summary = asyncio.run(main()).summary
    assert (summary.provider, summary.fallbacks) == ("deepgram", 2)


async def _two_more(call_id: str, channel: str, stream_id: str) -> None: ...


def _plain(call_id: str, stream_id: str) -> None: ...


async def _renamed(call: str, stream_id: str) -> None: ...


async def _grown(call_id: str, stream_id: str, *, why: str = "", **more: Any) -> None: ...


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        (_two_more, "takes (call_id, channel, stream_id), not (call_id, stream_id, ...)"),
        (_plain, "is not an async method"),
        (_renamed, "takes (call, stream_id), not (call_id, stream_id, ...)"),
        ("text", "is not a method"),
        (_grown, ""),
    ],
)
def test_a_changed_signature_is_not_wrapped(
    today: ModuleType, attached: Any, changed: Any, why: str
) -> None:
    """An argument more at the end is no change; anything else is left alone, and reported."""
    engine = today.Engine()
    engine.streaming_playback_manager._cleanup_stream = changed
    double = attached(engine)
    assert why in double.attachment.report()["underflow"].why_not
    assert bool(why) is (engine.streaming_playback_manager._cleanup_stream is changed)


def test_what_has_no_attributes_of_its_own_is_not_wrapped() -> None:
    """A slotted object, or one that refuses, is reported instead of broken."""

    class Slotted:
        __slots__ = ()

        def method(self) -> None: ...

    class Refusing:
        def method(self) -> None: ...

        def __setattr__(self, name: str, value: object) -> None:
            raise AttributeError("read-only")

    for owner, why in ((Slotted(), "no attributes of its own"), (Refusing(), "read-only")):
        with pytest.raises(CannotWrap, match=why):
            Wraps(print).set(owner, "method", (), coroutine=False)


def test_something_that_is_no_engine_is_reported_factor_by_factor(attached: Any) -> None:
    """Attaching to another object raises nothing, and says that nothing is live."""
    report = attached(SimpleNamespace()).attachment.report()
    assert [factor for factor, entry in report.items() if entry.live] == []
    assert "conversation_coordinator" in report["calls"].why_not


def test_an_attribute_that_raises_when_it_is_looked_at_is_reported(
    today: ModuleType, attached: Any
) -> None:
    """Attaching is safe in the constructor of an engine that is put together otherwise."""

    class Lazy(today.Engine):
        @property
        def on_provider_event(self) -> None:
            raise RuntimeError("not before start()")

    Lazy.__module__ = today.Engine.__module__
    report = attached(Lazy()).attachment.report()
    assert "not before start()" in report["underflow"].how
    assert report["fallback"].live


def test_attaching_twice_is_attaching_once(
    today: ModuleType, quality: aeq.QualityMonitor, attached: Any
) -> None:
    """The second attachment is the first one; another monitor is refused, with the fix."""
    engine = today.Engine()
    double = attached(engine)
    assert attach(engine) is double.attachment
    assert attach(engine, quality) is double.attachment
    other = aeq.QualityMonitor(registry=CollectorRegistry(), log=False)
    with pytest.raises(ValueError, match=r"detach\(\) that one first"):
        attach(engine, other)
    other.close()


def test_without_a_monitor_the_environment_makes_one_for_all_engines(
    today: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is on the registry that the engine shows, shared, and closed by the last to leave."""
    monkeypatch.setenv("AI_ENGINE_QUALITY_PER_CALL_SERIES", "false")
    first, second = attach(today.Engine()), attach(today.Engine())
    assert first.monitor is second.monitor
    assert not first.monitor._prometheus.per_call_series
    assert REGISTRY.get_sample_value("ai_agent_calls_active") == 0
    first.detach()
    assert REGISTRY.get_sample_value("ai_agent_calls_active") == 0
    second.detach()
    assert REGISTRY.get_sample_value("ai_agent_calls_active") is None
    assert shared_monitor._monitor is None


def test_a_setting_that_cannot_be_used_is_told_at_once(
    today: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever writes the line in the constructor learns which setting it is; nothing is wrapped."""
    monkeypatch.setenv("AI_ENGINE_QUALITY_EXPIRE_AFTER", "soon")
    engine = today.Engine()
    before = attributes(engine, today)
    with pytest.raises(aeq.SettingsError, match="AI_ENGINE_QUALITY_EXPIRE_AFTER"):
        attach(engine)
    assert attributes(engine, today) == before


def test_detach_restores_everything(generation: ModuleType, attached: Any) -> None:
    """No object has an attribute more, or another one, after calls on every path."""

    async def main() -> None:
        engine = generation.Engine()
        await engine._load_providers()
        before = attributes(engine, generation)
        double = attached(engine)
        assert attributes(engine, generation) != before
        session = await double.call()
        await engine.interrupt(session.call_id, 0.2)
        generation._TURN_RESPONSE_SECONDS.labels("none", "local").observe(0.5)
        await double.hang_up()
        await double.call("2.2")
        await engine.interrupt("2.2", 0.2)
        assert double.attachment.detach() == ()
        assert double.attachment.detach() == ()
        assert attributes(engine, generation) == before

    asyncio.run(main())
    for histogram in (generation._BARGE_REACTION_SECONDS, generation._TURN_RESPONSE_SECONDS):
        children = getattr(histogram, "_metrics", {}).values()
        assert not any("observe" in vars(child) for child in children)


def test_what_somebody_wrapped_before_comes_back(today: ModuleType, attached: Any) -> None:
    """An attribute of the instance that was there is put back, not deleted."""
    engine = today.Engine()

    async def theirs(call_id: str, reason: str) -> str:
        return f"{call_id} {reason}"

    engine.streaming_playback_manager._record_fallback = theirs
    double = attached(engine)
    assert engine.streaming_playback_manager._record_fallback is not theirs
    double.attachment.detach()
    assert engine.streaming_playback_manager._record_fallback is theirs


def test_what_somebody_wrapped_since_is_left_to_them(
    today: ModuleType, attached: Any, logged: list[Any]
) -> None:
    """Their wrap goes on working over ours, which only passes calls through; and detach says so."""

    async def main() -> None:
        engine = today.Engine()
        double = attached(engine)
        await double.call()
        ours = engine.streaming_playback_manager._record_fallback
        heard = []

        async def theirs(call_id: str, reason: str) -> Any:
            heard.append(reason)
            return await ours(call_id, reason)

        engine.streaming_playback_manager._record_fallback = theirs
        left = double.attachment.detach()
        assert [str(wrap) for wrap in left] == ["StreamingPlaybackManager._record_fallback"]
        assert engine.streaming_playback_manager._record_fallback is theirs
        await engine.streaming_playback_manager._record_fallback("1.1", "transport-failure")
        assert heard == ["transport-failure"]
        assert [entry["event"] for entry in logged][-1] == "quality_wraps_left"

    asyncio.run(main())


def test_two_engines_of_one_process_share_a_histogram(
    generation: ModuleType, attached: Any, quality: aeq.QualityMonitor
) -> None:
    """Each observes its own calls, and whichever leaves first leaves the other's tap in place."""
    before = dict(vars(generation._BARGE_REACTION_SECONDS))

    async def main() -> None:
        first, second = attached(generation.Engine()), attached(generation.Engine())
        await first.call("1.1")
        await second.call("2.2")
        assert first.attachment.detach() == ()
        await second.engine.interrupt("2.2", 0.3)
        assert quality.call("2.2").accumulator.barge_ins == 1
        assert quality.call("1.1").accumulator.barge_ins is None
        await second.hang_up("2.2")
        assert second.attachment.detach() == ()

    asyncio.run(main())
    assert vars(generation._BARGE_REACTION_SECONDS).keys() == before.keys()


def test_a_wrapped_method_looks_like_itself(generation: ModuleType, attached: Any) -> None:
    """Its name, its signature and whether it is a coroutine function are the original's."""
    engine = generation.Engine()
    expected = {
        name: (method.__name__, inspect.signature(method), inspect.iscoroutinefunction(method))
        for name, method in ((name, getattr(engine, name)) for name in WRAPPED)
    }
    attached(engine)
    for name, look in expected.items():
        method = getattr(engine, name)
        found = (method.__name__, inspect.signature(method), inspect.iscoroutinefunction(method))
        assert found == look
        assert name in vars(engine)


def test_the_version_is_the_variables_the_changelogs_or_the_commits(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the deployment has; where it has nothing, the version is unknown."""
    package = tmp_path / "src"
    package.mkdir()
    module = ModuleType("an_engine")
    module.__file__ = str(package / "engine.py")
    monkeypatch.setitem(sys.modules, "an_engine", module)
    engine = type("Engine", (), {"__module__": "an_engine"})()
    assert engine_facts.version(engine) == "unknown"
    git = tmp_path / ".git"
    (git / "refs").mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/main\n")
    assert engine_facts.version(engine) == "unknown"
    (git / "refs" / "main").write_text("fa29523efd9297b6517642559fd453a3d5d4c435\n")
    assert engine_facts.version(engine) == "fa29523e"
    (tmp_path / "CHANGELOG.md").write_text("# Changes\n## [Unreleased]\n## [7.5.4] - 2026-07-30\n")
    assert engine_facts.version(engine) == "7.5.4"
    monkeypatch.setenv("AI_ENGINE_VERSION", "7.6.0-rc1")
    assert engine_facts.version(engine) == "7.6.0-rc1"
