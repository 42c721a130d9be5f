"""The engine's HTTP side."""

import asyncio
import json
import socket
import time
import urllib.error
import urllib.request

import pytest
from ai_engine_lab.engine import endless_calls, traffic
from ai_engine_lab.engine.server import MetricsServer
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as openmetrics_families,
)
from prometheus_client.parser import text_string_to_metric_families


def get(url, accept="*/*"):
    with urllib.request.urlopen(urllib.request.Request(url, headers={"Accept": accept})) as answer:
        return answer.headers["Content-Type"], answer.read().decode()


async def fetch(url, accept="*/*"):
    return await asyncio.to_thread(get, url, accept)


def test_the_endpoints_of_the_real_engine_are_there(bench):
    """`/health`, `/ready` and `/live` answer in JSON, and health says which profile and speech."""

    async def main():
        engine = bench.engine()
        await engine.start()
        pages = {}
        for path in ("health", "ready", "live"):
            kind, body = await fetch(f"{engine.url}/{path}")
            assert kind.startswith("application/json")
            pages[path] = json.loads(body)
        await engine.stop()
        return pages

    pages = bench.run(main)
    assert pages["health"]["status"] == "healthy"
    assert pages["health"]["profile"] == "healthy"
    assert pages["health"]["speech"] in {"debian-prompts", "synthesised"}
    assert pages["ready"] == {"ready": True}
    assert pages["live"] == {"live": True}


def test_not_ready_is_503():
    """A load balancer is told by the status when the engine takes no calls."""

    async def main():
        server = MetricsServer(CollectorRegistry(), dict, lambda: False, "127.0.0.1", 0)
        await server.start()
        try:
            with pytest.raises(urllib.error.HTTPError) as refused:
                await fetch(f"{server.url}/ready")
            refused.value.close()
            return refused.value.code
        finally:
            await server.stop()

    assert asyncio.run(main()) == 503


def test_metrics_speak_the_scrapers_language(bench):
    """Text for whoever asks for nothing special, OpenMetrics for a Prometheus that asks for it."""

    async def main():
        engine = bench.engine()
        await engine.start()
        await engine.place(bench.plan())
        plain = await fetch(f"{engine.url}/metrics")
        modern = await fetch(
            f"{engine.url}/metrics", "application/openmetrics-text;version=1.0.0;q=0.9,*/*;q=0.1"
        )
        await engine.stop()
        return plain, modern

    (plain_kind, plain), (modern_kind, modern) = bench.run(main)
    assert plain_kind.startswith("text/plain")
    assert modern_kind.startswith("application/openmetrics-text")
    families = {family.name: family for family in text_string_to_metric_families(plain)}
    assert families["ai_agent_stream_frames_sent"].samples[0].value > 300
    assert families["ai_agent_codec_alignment"].samples[0].labels == {"provider": "deepgram"}
    assert {family.name for family in openmetrics_families(modern)} == {
        name.removesuffix("_info")  # OpenMetrics knows the type, and leaves it out of the name
        for name in families
        if not name.endswith("_created")  # the text format's own habit
    }


def test_it_answers_while_virtual_time_flies(bench):
    """Scrapes are served while calls run hundreds of times faster than real."""

    async def main():
        engine = bench.engine()
        await engine.start()
        running = asyncio.create_task(traffic(engine, endless_calls(), calls_per_hour=1_800))
        loop = asyncio.get_running_loop()
        until, active = loop.time() + 15, []
        while loop.time() < until:
            _, body = await fetch(f"{engine.url}/health")
            active.append(json.loads(body)["active_calls"])
            _, body = await fetch(f"{engine.url}/metrics")
            assert "ai_agent_stream_frames_sent_total" in body
        running.cancel()
        await asyncio.wait({running})
        await engine.stop()
        return active

    active = bench.run(main)
    assert len(active) >= 2
    assert max(active) > 0


def test_a_slow_client_outlives_virtual_time(bench):
    """A client that connects and then takes its time is answered, however time flies meanwhile."""

    def dawdle(port):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            time.sleep(0.2)
            connection.sendall(b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = b""
            while piece := connection.recv(4_096):
                answer += piece
            return answer

    async def main():
        engine = bench.engine()
        await engine.start()
        answer = await asyncio.to_thread(dawdle, engine.port)
        await engine.stop()
        return answer

    answer = bench.run(main)
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"Connection: close" in answer


def test_a_port_in_use_is_said_so(bench):
    """Starting on a taken port raises, and leaves nothing behind."""

    async def main():
        first = bench.engine()
        await first.start()
        second = MetricsServer(CollectorRegistry(), dict, lambda: True, "127.0.0.1", first.port)
        with pytest.raises(OSError, match="in use"):
            await second.start()
        await first.stop()

    bench.run(main)


def test_a_stopped_engine_leaves_the_registry(bench):
    """After `stop` another engine can take the same registry."""
    registry = CollectorRegistry()

    async def main():
        for _ in range(2):
            engine = bench.engine(registry=registry)
            await engine.start()
            await engine.stop()

    bench.run(main)
    assert list(registry.collect()) == []


def test_the_engines_own_metrics_count_as_the_real_ones_do(bench):
    """Frames include fillers, gauges come back to zero, and full agents have no turn histogram."""
    registry = CollectorRegistry()

    async def main():
        engine = bench.engine(registry=registry)
        full = await engine.place(bench.plan())
        piped = await engine.place(bench.plan(call_id="1761532874.2246", pipeline="local_hybrid"))
        return full.tally, piped.tally

    full, piped = bench.run(main)
    value = registry.get_sample_value
    frames = sum(tally.frames_sent + tally.fillers for tally in (full, piped))
    assert value("ai_agent_stream_frames_sent_total") == frames
    assert value("ai_agent_streaming_active") == 0
    labels = {"pipeline": "local_hybrid", "provider": "deepgram"}
    assert value("ai_agent_turn_response_seconds_count", labels) == len(piped.turn_latencies)
    assert value("ai_agent_turn_response_seconds_count", {**labels, "pipeline": "none"}) is None
