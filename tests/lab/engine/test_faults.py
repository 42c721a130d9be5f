"""Faults: each moves the metrics and the factor that it should, no other, and is taken back."""

import asyncio
import functools
import json
import urllib.error
import urllib.request

import pytest
from ai_engine_lab.engine import (
    FAULTS,
    FAULTS_OF_A_CALL,
    FaultBoard,
    FaultError,
    PlannedFault,
    parse_duration,
)
from ai_engine_lab.engine.faults import CLEAR
from handbook.faults_page import show as shown
from prometheus_client import CollectorRegistry

import ai_engine_quality as aeq

ELEVEN = (
    "slow_provider",
    "jitter",
    "transport_fallbacks",
    "wrong_codec",
    "byte_swapped",
    "quiet_agent",
    "dead_provider",
    "late_barge_in",
    "low_vad_confidence",
    "audiosocket_loss",
    "engine_stop",
)
OF_AN_ENGINE = (
    "crash_loop",
    "dropped_calls",
    "unheard_callers",
    "babble",
    "lost_provider",
    "leaked_calls",
    "bridged_formats",
)
"""Faults that alerts are proved by, and no call's score by itself."""

NOISE_POINTS = 2.5
"""A fault changes who speaks when: so many points of the other factors are noise."""

COUNTERS_OF_QUALITY = (
    "stream_underflow_events_total",
    "streaming_fallbacks_total",
    "codec_alignment",
    "barge_in_reaction_seconds",
    "vad_adaptive_threshold",
    "turn_response_seconds",
)
"""What the engine itself says of quality; each fault moves its own of them, and no other."""


def of_metric(samples, metric):
    """Return the samples of a metric, of a histogram its mean."""
    name = f"ai_agent_{metric}"
    found = {key: value for key, value in samples.items() if key.partition("[")[0] == name}
    sums = [value for key, value in samples.items() if key.startswith(f"{name}_sum")]
    counts = [value for key, value in samples.items() if key.startswith(f"{name}_count")]
    return found or {"mean": sum(sums) / sum(counts) if sum(counts) else 0.0}


def moved(fault_shown, metric):
    """Return whether a metric differs by more than 15 % in any of its samples."""
    before = of_metric(fault_shown.before_metrics, metric)
    after = of_metric(fault_shown.after_metrics, metric)
    pairs = [(before.get(key, 0.0), after.get(key, 0.0)) for key in before.keys() | after.keys()]
    return any(abs(now - was) > 0.15 * max(abs(was), abs(now)) for was, now in pairs)


def test_all_the_faults_are_there():
    """The plan's eleven faults and those of alerts can be injected, with what they do in words."""
    assert tuple(FAULTS_OF_A_CALL) == ELEVEN
    assert tuple(FAULTS) == (*ELEVEN, *OF_AN_ENGINE)
    assert all(fault.title for fault in FAULTS.values())
    assert all(fault.metrics for fault in FAULTS_OF_A_CALL.values())


@pytest.mark.parametrize("name", ELEVEN)
def test_a_fault_moves_its_factors_and_no_other(name):
    """The factors that it names lose at least 4 points each; what others lose is noise."""
    for factor, before, after in shown(name).penalties():
        if factor in FAULTS[name].factors:
            assert after >= before + 4, factor
        else:
            assert after == pytest.approx(before, abs=NOISE_POINTS), factor


@pytest.mark.parametrize("name", ELEVEN)
def test_a_fault_moves_its_metrics(name):
    """Every metric that it names is another than without the fault, as a scraper sees it."""
    still = [metric for metric in FAULTS[name].metrics if not moved(shown(name), metric)]
    assert still == []


@pytest.mark.parametrize("name", [name for name in ELEVEN if name != "engine_stop"])
def test_a_fault_moves_no_other_counter_of_quality(name):
    """What the engine counts of quality stays where it was, but for what the fault names."""
    others = [metric for metric in COUNTERS_OF_QUALITY if metric not in FAULTS[name].metrics]
    if name in ("dead_provider", "audiosocket_loss"):  # hardly any turns are left to compare
        others.remove("turn_response_seconds")
    assert [metric for metric in others if moved(shown(name), metric)] == []


def one_call(bench, fault, *, seconds=60.0, **more):
    """Place a call with a fault; return its result and what the library counted."""
    registry = CollectorRegistry()

    async def run():
        clock = asyncio.get_running_loop().time
        quality = aeq.QualityMonitor(registry=registry, clock=clock, log=False)
        engine = bench.engine(registry=registry, quality=quality, **more)
        engine.faults.schedule([PlannedFault(fault, 600)])
        result = await engine.place(bench.plan(duration=seconds))
        engine.faults.clear_all()
        active = registry.get_sample_value("ai_agent_calls_active")
        quality.close()
        return result, active

    return bench.run(run)


def rules(result):
    """Return the ceilings that applied to a call."""
    return {ceiling.rule for ceiling in result.score.ceilings}


def test_dropped_calls_end_in_the_greeting(bench):
    """A call lasts 2 s, and ends without a conversation."""
    result, _ = one_call(bench, "dropped_calls")
    assert result.tally.outcome == "connection_lost"
    assert result.tally.frames_sent < 120
    assert result.score.unscored_reason in ("abandoned", "no_conversation")
    assert result.score.summary.duration == pytest.approx(2.0, abs=0.1)


def test_unheard_callers_are_digital_silence(bench):
    """The caller's track is measured, and nothing is on it; so no turn is ever there."""
    result, _ = one_call(bench, "unheard_callers")
    heard = result.score.summary.audio["transport_in"]
    assert (heard.frames > 500, heard.active) == (True, 0)
    assert result.tally.turn_latencies == ()
    assert "caller_unheard" in rules(result)


def test_babble_cuts_answers_off(bench):
    """Most answers are cut although the caller waits for their end; without it none is."""
    without, _ = one_call(bench, "bridged_formats", hints=True)
    cut, _ = one_call(bench, "babble", hints=True)
    assert without.tally.barge_in_reactions == ()
    assert len(cut.tally.barge_in_reactions) >= 4
    assert "cut_answers" in rules(cut) - rules(without)


def test_a_lost_provider_fails_the_call(bench):
    """The provider goes in mid-call and nothing comes of it any more: the call failed."""
    result, _ = one_call(bench, "lost_provider")
    assert (result.score.score, "provider_lost" in rules(result)) == (0, True)


def test_a_leaked_call_stays_live(bench):
    """The engine's call ends; the library's is in progress for ever."""
    result, active = one_call(bench, "leaked_calls", seconds=20.0)
    assert (result.score, active) == (None, 1)


def test_bridged_formats_are_heard_by_nobody(bench):
    """The check fails, and the call is the same otherwise as one without."""
    result, _ = one_call(bench, "bridged_formats")
    assert not result.tally.codec_aligned
    assert result.score.summary.codec_details
    assert rules(result) == set()
    assert result.score.factor("codec").penalty == 0


def test_swapped_bytes_are_heard_by_the_library_alone():
    """No counter of the engine tells of byte-swapped audio; the score does: 20 at most."""
    swapped = shown("byte_swapped")
    assert swapped.after.tally.codec_aligned
    assert swapped.after.score.score <= 20
    assert "noise" in swapped.after.score.explain()


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_taken_back(bench, name):
    """A call after the fault was cleared is, to the last digit, one on an engine that had none."""
    fault = FAULTS[name]
    before, after = (bench.plan(fault.scenario, call_id=f"1761532874.{n}") for n in (1, 2))

    async def run(*, faulty):
        engine = bench.engine()
        if faulty:
            engine.faults.schedule([PlannedFault(name, 600, fault.at_seconds)])
            await engine.place(before)
            engine.faults.clear(name)
        else:
            await engine.place(before)
        assert engine.faults.conditions == CLEAR
        return (await engine.place(after)).tally

    recovered, healthy = (
        bench.run(functools.partial(run, faulty=faulty)) for faulty in (True, False)
    )
    assert recovered.turn_latencies == pytest.approx(healthy.turn_latencies)
    assert recovered.frames_sent == healthy.frames_sent
    assert (recovered.fillers, recovered.fallbacks, recovered.unanswered) == (0, (), ())
    assert recovered.barge_in_reactions == pytest.approx(healthy.barge_in_reactions)
    assert recovered.codec_aligned


def test_a_fault_comes_and_goes_while_a_call_runs(bench):
    """For 20 s in the middle of a call turns go unanswered; those before and after are not."""

    async def run():
        engine = bench.engine()
        engine.faults.schedule([PlannedFault.parse("dead_provider:20s@20s")])
        return (await engine.place(bench.plan(duration=80.0))).tally

    tally = bench.run(run)
    assert tally.unanswered
    assert len(tally.turn_latencies) >= 4


class TestTheBoard:
    def test_a_fault_lasts_as_long_as_it_should(self, bench):
        """After its time the conditions are clear again; without a time it stays until cleared."""

        async def run():
            board = FaultBoard()
            board.inject("jitter", 10)
            board.inject("quiet-agent")
            await asyncio.sleep(9.9)
            assert [on.fault.name for on in board.active] == ["jitter", "quiet_agent"]
            await asyncio.sleep(0.2)
            assert [on.fault.name for on in board.active] == ["quiet_agent"]
            await asyncio.sleep(1_000)
            assert board.clear("quiet_agent")
            assert not board.clear("quiet_agent")
            assert board.conditions == CLEAR

        bench.run(run)

    def test_a_crash_loop_comes_and_goes(self, bench):
        """Away for 25 s of every 60, for as long as it lasts, and then no more."""

        async def run():
            board, seen = FaultBoard(), []
            board.inject("crash_loop", 130)
            for _ in range(20):
                seen.append(board.conditions.answering)
                await asyncio.sleep(10)
            down = [10 * n for n, answers in enumerate(seen) if not answers]
            assert down == [0, 10, 20, 60, 70, 80, 120]
            board.inject("crash_loop", 130)
            board.clear_all()
            await asyncio.sleep(100)
            assert board.conditions == CLEAR

        bench.run(run)

    def test_the_last_word_counts(self, bench):
        """Injecting a fault again replaces its time: the end of the first means nothing."""

        async def run():
            board = FaultBoard()
            board.inject("jitter", 5)
            board.inject("jitter", 50)
            await asyncio.sleep(20)
            assert len(board.active) == 1
            board.clear_all()
            assert board.conditions == CLEAR

        bench.run(run)

    def test_faults_add_up(self, bench):
        """Two faults at once are both in the conditions; taking one back leaves the other."""

        async def run():
            board = FaultBoard()
            board.inject("jitter")
            board.inject("quiet_agent")
            both = board.conditions
            assert both.late_per_second > 0
            assert both.agent_gain < 1
            board.clear("jitter")
            assert board.conditions.late_per_second == 0
            assert board.conditions.agent_gain < 1

        bench.run(run)

    def test_what_was_scheduled_can_be_called_off(self, bench):
        """Clearing all faults clears those to come, too."""

        async def run():
            board = FaultBoard()
            board.schedule([PlannedFault.parse("jitter:1m@10s"), PlannedFault.parse("jitter@1h")])
            board.clear_all()
            await asyncio.sleep(4_000)
            assert board.active == ()

        bench.run(run)

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("noise", "choose one of slow_provider, jitter"),
            ("jitter:", None),
            ("jitter:0", "write 90s, 3m or 1h"),
            ("jitter:-3m", "write 90s, 3m or 1h"),
            ("jitter:3x", "write 90s, 3m or 1h"),
            ("jitter:nan", "write 90s, 3m or 1h"),
            ("jitter:inf", "write 90s, 3m or 1h"),
            ("jitter@soon", "write 90s, 3m or 1h"),
            ("engine_stop", "engine_stop:1m"),
        ],
    )
    def test_a_fault_that_can_not_be_is_refused(self, text, told):
        """A wrong name or time is an error that names the fix."""
        if told is None:
            assert PlannedFault.parse(text) == PlannedFault("jitter")
            return
        with pytest.raises(FaultError, match=told):
            PlannedFault.parse(text)

    def test_durations_are_in_seconds(self):
        """A number alone, s, m and h."""
        assert [parse_duration(text) for text in ("90", "90s", "3m", "1.5h")] == [
            90,
            90,
            180,
            5_400,
        ]


def ask(url, method="GET", body=None, **headers):
    """Return the status and the JSON of an answer, whether it was a refusal or not."""
    if isinstance(body, dict):
        headers = {"Content-Type": "application/json", **headers}
        body = json.dumps(body)
    data = None if body is None else body.encode()
    request = urllib.request.Request(url, data=data, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, json.load(refused)


class TestOverHttp:
    def talk(self, bench, conversation):
        """Run a conversation (a function of `ask`) with an engine in real time."""

        async def run():
            engine = bench.engine()
            await engine.start()
            try:
                return await conversation(
                    engine,
                    lambda path, *rest, **more: asyncio.to_thread(
                        ask, engine.url + path, *rest, **more
                    ),
                )
            finally:
                await engine.stop()

        return bench.run(run, 1.0)

    def test_faults_are_listed_injected_and_taken_back(self, bench):
        """GET lists all, POST turns one on for a time, DELETE turns it off again."""

        async def conversation(engine, ask):
            status, answer = await ask("/faults")
            assert status == 200
            assert [fault["name"] for fault in answer["faults"]] == [*ELEVEN, *OF_AN_ENGINE]
            assert not any(fault["active"] for fault in answer["faults"])
            status, answer = await ask("/faults", "POST", {"name": "jitter", "for": 180})
            assert status == 200
            (on,) = [fault for fault in answer["faults"] if fault["active"]]
            assert (on["name"], on["factors"]) == ("jitter", ["underflow"])
            assert 170 < on["seconds_left"] <= 180
            assert engine.faults.conditions.late_per_second > 0
            assert (await ask("/faults", "POST", {"name": "quiet-agent"}))[0] == 200
            assert (await ask("/faults/jitter", "DELETE"))[0] == 200
            assert [on.fault.name for on in engine.faults.active] == ["quiet_agent"]
            assert (await ask("/faults", "DELETE"))[0] == 200
            assert engine.faults.conditions == CLEAR

        self.talk(bench, conversation)

    @pytest.mark.parametrize(
        ("method", "path", "body", "told"),
        [
            ("POST", "/faults", {"name": "nope"}, "choose one of"),
            ("POST", "/faults", {"name": 5}, "name the fault"),
            ("POST", "/faults", {}, "name the fault"),
            ("POST", "/faults", {"name": "jitter", "for": "3m"}, "a number of seconds"),
            ("POST", "/faults", {"name": "jitter", "for": True}, "a number of seconds"),
            ("POST", "/faults", {"name": "jitter", "for": -1}, "more than 0"),
            ("POST", "/faults", {"name": "engine_stop"}, "needs a duration"),
            ("POST", "/faults", "name=jitter", "Content-Type"),
            ("DELETE", "/faults/nope", None, "choose one of"),
            ("DELETE", "/faults/jitter", None, "is not on"),
        ],
    )
    def test_a_refusal_names_the_mend(self, bench, method, path, body, told):
        """Wrong names, times and bodies are 400, in JSON, with what to do instead."""

        async def conversation(engine, ask):
            status, answer = await ask(path, method, body)
            assert status == 400
            assert told in answer["error"]
            assert engine.faults.conditions == CLEAR

        self.talk(bench, conversation)

    def test_a_web_page_can_not_inject(self, bench):
        """A request under another host's name is refused, as is one without JSON's type."""

        async def conversation(engine, ask):
            body = {"name": "jitter"}
            for host in ("evil.example:15000", "evil.example", "127.0.0.1.evil.example"):
                status, answer = await ask("/faults", "POST", body, Host=host)
                assert (status, "http://127.0.0.1" in answer["error"]) == (403, True)
            for host in ("localhost", "127.0.0.1:15000", "[::1]:15000", "[::1]"):
                assert (await ask("/faults", Host=host))[0] == 200
            assert engine.faults.conditions == CLEAR

        self.talk(bench, conversation)

    def test_a_stopped_engine_answers_nothing_and_comes_back(self, bench):
        """Under `engine_stop` its calls end and connections are refused; afterwards it serves."""

        async def conversation(engine, ask):
            call = asyncio.create_task(engine.place(bench.plan(duration=600.0)))
            await asyncio.sleep(0.2)
            assert (await ask("/faults", "POST", {"name": "engine_stop", "for": 1.5}))[0] == 200
            assert (await call).tally.outcome == "interrupted"
            await asyncio.sleep(0.2)
            with pytest.raises(urllib.error.URLError, match="refused"):
                await ask("/faults")
            await engine.answering()
            await asyncio.sleep(0.2)
            assert (await ask("/faults"))[0] == 200

        self.talk(bench, conversation)


def test_the_gauge_of_connections_falls_to_zero_while_calls_are_active(bench):
    """What the alert on lost connections looks for: calls, and no connection."""
    registry = CollectorRegistry()
    value = registry.get_sample_value

    async def run():
        quality = aeq.QualityMonitor(registry=registry, log=False)
        engine = bench.engine(registry=registry, quality=quality)
        call = asyncio.create_task(engine.place(bench.plan(duration=40.0)))
        await asyncio.sleep(10)
        assert value("ai_agent_audiosocket_active_connections") == 1
        engine.faults.inject("audiosocket_loss", 10)
        await asyncio.sleep(5)
        assert value("ai_agent_audiosocket_active_connections") == 0
        assert value("ai_agent_calls_active") == engine.active_calls == 1
        await asyncio.sleep(6)
        assert value("ai_agent_audiosocket_active_connections") == 1
        await call
        quality.close()

    bench.run(run)
