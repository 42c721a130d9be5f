"""The engine's metrics are alive: each is moved by the mechanism that it stands for."""

import asyncio
from collections import defaultdict

import pytest
from ai_engine_lab.basics.audio_formats import rms
from ai_engine_lab.engine import (
    GENERATIONS,
    PROVIDERS,
    TRAFFIC_MIX,
    Load,
    PlannedFault,
    endless_calls,
    offer,
)
from ai_engine_lab.engine.inventory import inventory
from prometheus_client import CollectorRegistry, generate_latest

CALL = "1761532874.2245"

ONLY_WITH_FAULTS = {
    "streaming_fallbacks_total",
    "stream_underflow_events_total",
    "stream_filler_bytes_total",
    "streaming_keepalive_timeouts_total",
}
"""What a healthy engine never moves."""

MINUTE_OF_FAULTS = ("jitter:20s@5s", "dead_provider:10s@20s", "transport_fallbacks:25s@30s")


def look(registry, seen):
    """Keep the largest value of every sample, by the metric that it belongs to."""
    for family in registry.collect():
        for sample in family.samples:
            if not sample.name.endswith("_created"):
                seen[family.name][sample.name] = max(
                    seen[family.name].get(sample.name, 0), sample.value
                )


def a_minute_of_traffic(bench, generation, faults=()):
    """Return {metric: largest values} of a virtual minute of traffic, and the registry then."""
    registry, seen = CollectorRegistry(), defaultdict(dict)

    async def main():
        engine = bench.engine(registry=registry, generation=generation)
        engine.faults.schedule([PlannedFault.parse(text) for text in faults])
        load = Load(opening=len(TRAFFIC_MIX))
        calls = asyncio.create_task(offer(engine, endless_calls(), load))
        for _ in range(60):
            await asyncio.sleep(1)
            look(registry, seen)
        calls.cancel()
        await asyncio.wait({calls})
        engine.faults.clear_all()

    bench.run(main)
    return seen, registry


def families(generation):
    return {
        metric.name: metric.exposed_name.removesuffix("_total").removesuffix("_info")
        for metric in inventory(generation)
    }


def test_every_metric_moves_within_a_minute_of_healthy_traffic(bench):
    """All 59 have samples, and all but those of faults have a value: none is only declared."""
    seen, _ = a_minute_of_traffic(bench, "2026-08")
    names = families("2026-08")
    assert [name for name, family in names.items() if not seen[family]] == []
    still = {name for name, family in names.items() if not any(seen[family].values())}
    assert still == ONLY_WITH_FAULTS


@pytest.mark.parametrize("generation", GENERATIONS)
def test_every_metric_moves_within_a_minute_of_faulty_traffic(bench, generation):
    """Starvation, failed writes and a provider that breaks off move what is left to be moved."""
    seen, _ = a_minute_of_traffic(bench, generation, MINUTE_OF_FAULTS)
    names = families(generation)
    assert [name for name, family in names.items() if not any(seen[family].values())] == []


def call_labels(registry):
    """Return {metric: call ids in its labels}."""
    found = defaultdict(set)
    for family in registry.collect():
        for sample in family.samples:
            found[family.name].add(sample.labels.get("call_id"))
    return {name: ids - {None} for name, ids in found.items()}


def test_the_newest_generation_names_no_call(bench):
    """No sample of 2026-08 has a call id: a labelled series per call overloads such stacks."""
    registry = CollectorRegistry()

    async def main():
        engine = bench.engine(registry=registry)
        await engine.place(bench.plan())
        assert CALL not in generate_latest(registry).decode()

    bench.run(main)
    assert not any(call_labels(registry).values())


def test_the_old_generation_leaves_finished_calls_behind(bench):
    """In 2025-10 most gauges of an ended call stay; only those that it removed are gone."""
    registry = CollectorRegistry()

    async def main():
        engine = bench.engine(registry=registry, generation="2025-10")
        await engine.place(bench.plan())

    bench.run(main)
    left = {name for name, calls in call_labels(registry).items() if calls == {CALL}}
    assert left >= {
        "ai_agent_codec_alignment",
        "ai_agent_deepgram_settings_ack_latency_ms",
        "ai_agent_vad_adaptive_threshold",
        "ai_agent_audio_rms",
        "ai_agent_config_streaming_ms",
        "ai_agent_streaming_jitter_buffer_depth",
    }
    assert not left & {
        "ai_agent_tts_gating_active",
        "ai_agent_audio_capture_enabled",
        "ai_agent_conversation_state",
        "ai_agent_deepgram_input_sample_rate_hz",
    }
    assert registry.get_sample_value("ai_agent_streaming_active", {"call_id": CALL}) == 0
    depth = "ai_agent_streaming_jitter_buffer_depth"
    assert registry.get_sample_value(depth, {"call_id": CALL}) == 0


def test_gauges_of_calls_are_sums_and_end_at_zero(bench):
    """Every active call is in one state, gated or heard; after the last, all of them are 0."""
    registry = CollectorRegistry()
    value = registry.get_sample_value
    states = ("greeting", "listening", "processing")
    seen = set()

    async def main():
        engine = bench.engine(registry=registry)
        calls = [
            asyncio.create_task(engine.place(bench.plan(call_id=f"1761532874.{number}")))
            for number in range(3)
        ]
        for _ in range(25):
            await asyncio.sleep(1.03)
            shares = [value("ai_agent_conversation_state", {"state": state}) for state in states]
            assert sum(shares) == 3
            seen.update(state for state, share in zip(states, shares, strict=True) if share)
            gated = value("ai_agent_tts_gating_active")
            assert gated + value("ai_agent_audio_capture_enabled") == 3
            assert value("ai_agent_audiosocket_active_connections") == 3
            assert value("ai_agent_no_input_watchdogs_active") == 3
        await asyncio.wait(calls)

    bench.run(main)
    assert seen == set(states)
    for name in (
        "tts_gating_active",
        "audio_capture_enabled",
        "streaming_active",
        "streaming_jitter_buffer_depth",
        "audiosocket_active_connections",
        "no_input_watchdogs_active",
        "google_live_active_sessions",
    ):
        assert value(f"ai_agent_{name}") == 0, name
    assert all(value("ai_agent_conversation_state", {"state": state}) == 0 for state in states)


@pytest.mark.parametrize("name", sorted(PROVIDERS))
def test_every_provider_is_understood(bench, name):
    """Whatever a provider's format and byte order, its speech arrives as speech."""
    registry = CollectorRegistry()

    async def main():
        pipeline = "local_hybrid" if name == "local" else None
        plan = bench.plan(provider=name, pipeline=pipeline)
        return (await bench.engine(registry=registry).place(plan)).tally

    tally = bench.run(main)
    assert tally.codec_aligned
    assert len(tally.turn_latencies) >= 2
    frames = [args[1] for args, _ in bench.monitor.of(CALL, "audio") if args[0] == "transport_out"]
    loud = [level for level in map(rms, frames) if level > 200]
    assert 1_000 < sum(loud) / len(loud) < 4_000
    swaps = registry.get_sample_value("ai_agent_stream_endian_corrections_total", {"mode": "auto"})
    assert (swaps or 0) == (len(tally.segments) if name == "local" else 0)


def test_pipelines_alone_have_timed_stages(bench):
    """`turn_response` and `stt_to_tts` see the pipeline's turns, and none of a full agent's."""
    registry = CollectorRegistry()

    async def main():
        engine = bench.engine(registry=registry)
        await engine.place(bench.plan(provider="google_live"))
        plan = bench.plan(call_id="1761532874.1", provider="local", pipeline="local_hybrid")
        return (await engine.place(plan)).tally

    piped = bench.run(main)
    labels = {"pipeline": "local_hybrid", "provider": "local"}
    value = registry.get_sample_value
    turns, total = (value(f"ai_agent_turn_response_seconds_{x}", labels) for x in ("count", "sum"))
    assert turns == len(piped.turn_latencies)
    assert total == pytest.approx(sum(piped.turn_latencies))
    assert value("ai_agent_stt_to_tts_seconds_count", labels) == turns
    assert 0.5 * total < value("ai_agent_stt_to_tts_seconds_sum", labels) < 0.85 * total
    (family,) = [f for f in registry.collect() if f.name == "ai_agent_turn_response_seconds"]
    assert {sample.labels["provider"] for sample in family.samples} == {"local"}


def test_bytes_are_counted_where_they_pass(bench):
    """Google's session is fed what is heard while it listens, and its bursts are counted."""
    registry = CollectorRegistry()

    async def main():
        return await bench.engine(registry=registry).place(bench.plan(provider="google_live"))

    tally = bench.run(main).tally
    value = registry.get_sample_value
    received = value("ai_agent_stream_rx_bytes_total")
    assert received == value("ai_agent_audiosocket_rx_bytes_total") == pytest.approx(480_000, 1e-2)
    sent = value("ai_agent_google_live_audio_bytes_sent_total")
    assert 0 < sent < 2 * received, "16 kHz, and gated while the agent speaks"
    queued = value("ai_agent_streaming_bytes_total")
    assert value("ai_agent_google_live_audio_bytes_received_total") == 3 * queued
    frames = sum(segment.frames_sent for segment in tally.segments)
    assert value("ai_agent_stream_tx_bytes_total") == frames * 320 <= queued + 320 * 10


def test_a_silent_caller_is_asked_then_hung_up_on(bench):
    """After 30 s without a word the agent asks; 15 s later the engine hangs up, and counts it."""
    registry = CollectorRegistry()

    async def main():
        engine = bench.engine(registry=registry)
        engine.faults.inject("audiosocket_loss")
        return await engine.place(bench.plan(duration=120.0))

    tally = bench.run(main).tally
    assert tally.outcome == "no_input_timeout"
    assert [segment.kind for segment in tally.segments] == ["greeting", "announcement"]
    value = registry.get_sample_value
    for action in ("check_in", "hangup"):
        assert value("ai_agent_no_input_events_total", {"action": action}) == 1
    assert 45 < tally.duration < 60


def test_the_same_seed_gives_the_same_metrics(bench):
    """Whatever is exposed is the same to the last digit; another seed gives another exposition."""

    def exposition(seed):
        registry = CollectorRegistry()

        async def main():
            engine = bench.engine(registry=registry, seed=seed)
            calls = asyncio.create_task(offer(engine, endless_calls(seed=seed), Load(opening=5)))
            await asyncio.sleep(30)
            text = generate_latest(registry).decode()
            calls.cancel()
            await asyncio.wait({calls})
            return [line for line in text.splitlines() if "_created" not in line]

        return bench.run(main)

    first, again, other = exposition(1), exposition(1), exposition(2)
    assert first == again
    assert first != other
