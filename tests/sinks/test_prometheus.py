"""What scrapers see: the promised metrics, bounded, and every finished call at least once."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import textwrap
from importlib import metadata
from threading import Event, Thread
from types import (
    BuiltinFunctionType,
    CodeType,
    FrameType,
    FunctionType,
    ModuleType,
    SimpleNamespace,
)

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse_text

import ai_engine_quality as aeq
from ai_engine_quality.core.policy import versions
from ai_engine_quality.live import live_calls, upkeep
from ai_engine_quality.sinks.prometheus import shared_files
from ai_engine_quality.sinks.prometheus.series import CEILINGS
from ai_engine_quality.sinks.prometheus.sink import UNSCORED_REASONS

METRICS = {
    "ai_agent_call_quality_score": ("gauge", {"call_id"}),
    "ai_agent_call_quality_points_lost": ("gauge", {"call_id", "factor"}),
    "ai_agent_call_quality_turns": ("gauge", {"call_id", "provider"}),
    "ai_agent_call_scores": ("histogram", {"provider", "pipeline"}),
    "ai_agent_calls_scored": ("counter", {"provider", "pipeline", "band"}),
    "ai_agent_calls_unscored": ("counter", {"reason"}),
    "ai_agent_call_quality_penalty_points": ("counter", {"provider", "pipeline", "factor"}),
    "ai_agent_call_ceilings": ("counter", {"provider", "rule"}),
    "ai_agent_call_coverage_ratio": ("summary", {"provider"}),
    "ai_agent_call_clipped_ratio": ("summary", {"provider"}),
    "ai_agent_call_corrupt_audio_seconds": ("counter", {"provider", "kind"}),
    "ai_agent_call_pace_characters_per_second": ("histogram", {"provider"}),
    "ai_agent_call_turn_response_seconds": ("histogram", {"provider", "pipeline"}),
    "ai_agent_turn_stage_seconds": ("histogram", {"provider", "stage"}),
    "ai_agent_call_underflow_ratio": ("histogram", {"provider", "pipeline"}),
    "ai_agent_calls_started": ("counter", {"provider"}),
    "ai_agent_calls_ended": ("counter", {"provider", "outcome"}),
    "ai_agent_calls_active": ("gauge", set()),
    "ai_agent_live_calls": ("gauge", {"band"}),
    "ai_agent_calls_silent": ("gauge", {"longer_than"}),
    "ai_agent_call_cost": ("counter", {"provider", "currency"}),
    "ai_agent_quality_hook_live": ("gauge", {"factor", "clock"}),
    "ai_agent_engine_info": ("gauge", {"version", "audio_transport"}),
    "ai_agent_quality_dropped": ("counter", {"reason"}),
    "ai_agent_quality_hook_failures": ("counter", {"hook"}),
    "ai_agent_quality_series_retained": ("gauge", set()),
    "ai_agent_quality_info": ("gauge", {"version", "policy"}),
}
"""The promised metrics, in OpenMetrics' spelling: a counter's family lacks ``_total``."""

SCORE = "ai_agent_call_quality_score"
STRANGE_IDS = ["back\\slash", "a\\nb", 'a "b"', "a,b=c", "a # b", "héllo", "通話", "📞"]
if tuple(map(int, metadata.version("prometheus-client").split(".")[:2])) >= (0, 22):
    STRANGE_IDS.append("{call}")  # before, the client's own parser fails at an exemplar's braces
ODD_QUOTES = ['"', 'a"b', '\\"', '"}']
"""The client's own OpenMetrics parser can't read an exemplar with an odd number of quotes; that a
real Prometheus can is tested with a real one."""


def scrape(registry):
    """Return {(sample name, labels): value}, as a scraper reads it."""
    families = parse_text(generate_latest(registry).decode())
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def value(samples, name, **labels):
    return samples[name, frozenset(labels.items())]


def scored_calls(samples):
    """Return {call id: score} of the per-call samples."""
    return {
        dict(labels)["call_id"]: found for (name, labels), found in samples.items() if name == SCORE
    }


def distinct(samples, name, label):
    return {dict(labels)[label] for (found, labels) in samples if found == name}


def dropped(samples, reason):
    return value(samples, "ai_agent_quality_dropped_total", reason=reason)


def have_call(quality, call_id, *, provider="deepgram", pipeline="default", turn=0.4, **ended):
    """Start, observe and end a call that is scored; 100 unless its turn is slow."""
    quality.call_started(call_id, provider=provider, pipeline=pipeline)
    quality.turn_response(call_id, turn)
    quality.frames_sent(call_id, 500)
    quality.underflow(call_id, 0)
    return quality.call_ended(call_id, **{"duration": 60.0, **ended})


def reachable(monitor):
    """Return how many objects a monitor keeps alive, code and modules aside."""
    code = (ModuleType, FunctionType, BuiltinFunctionType, CodeType, FrameType, type)
    seen = {}
    waiting = [monitor]
    while waiting:
        found = waiting.pop()
        if id(found) not in seen and not isinstance(found, code):
            seen[id(found)] = found
            waiting.extend(gc.get_referents(found))
    return len(seen)


class Silent:
    """A logger that says nothing."""

    def info(self, event, **fields):
        pass

    warning = info


def raises(score):
    raise RuntimeError(score.call_id)


def use_everything(quality):
    """Let every metric have a sample at least."""
    have_call(quality, "done", turn=2.5, outcome="completed")
    quality.call_started("abandoned", provider="deepgram")
    quality.call_ended("abandoned", duration=1.0)
    quality.call_started("live", provider="deepgram", pipeline="default")
    quality.turn_stage("live", "llm", 2.0)
    quality.add_hook(raises)
    have_call(quality, "hooked")
    quality.engine_info(version="4.0", audio_transport="audiosocket")
    quality.hook_live("latency", live=True)


@pytest.fixture
def make(registry, clock):
    """Return a maker of monitors on the test's registry and clock."""
    made = []

    def make(**options):
        monitor = aeq.QualityMonitor(registry=registry, clock=clock, log=False, **options)
        made.append(monitor)
        return monitor

    yield make
    for monitor in made:
        monitor.close()


class TestTheMetrics:
    def test_every_promised_metric_has_its_type_and_labels(self, make, registry):
        """Every metric of the table exists with exactly that type and those labels; no other."""
        use_everything(make(costs={"deepgram": aeq.CallCost(0.1, "USD")}))
        families = list(parse_openmetrics(generate_openmetrics(registry).decode()))
        assert {family.name: family.type for family in families} == {
            name: kind for name, (kind, _) in METRICS.items()
        }
        for family in families:
            labels = {frozenset(sample.labels) - {"le"} for sample in family.samples}
            assert labels == {frozenset(METRICS[family.name][1])}, family.name

    def test_text_names_of_counters_end_in_total(self, make, registry):
        """In the text format each counter's sample is the promised name with ``_total``."""
        use_everything(make(costs={"deepgram": aeq.CallCost(0.1, "USD")}))
        names = {name for name, _ in scrape(registry)}
        for name, (kind, _) in METRICS.items():
            assert kind != "counter" or f"{name}_total" in names

    @pytest.mark.parametrize(
        ("generate", "parse"),
        [(generate_latest, parse_text), (generate_openmetrics, parse_openmetrics)],
        ids=["text", "openmetrics"],
    )
    def test_both_formats_parse_and_explain_themselves(self, make, registry, generate, parse):
        """Both expositions parse, and every family has a help text."""
        use_everything(make(costs={"deepgram": aeq.CallCost(0.1, "USD")}))
        families = list(parse(generate(registry).decode()))
        assert len(families) >= len(METRICS)
        assert [family.name for family in families if not family.documentation.strip()] == []

    def test_nothing_is_registered_after_close(self, registry, clock):
        """``close()`` leaves the registry as it was, so that another monitor can take it."""
        aeq.QualityMonitor(registry=registry, clock=clock, log=False).close()
        assert list(registry.collect()) == []
        aeq.QualityMonitor(registry=registry, clock=clock, log=False).close()

    def test_a_second_monitor_on_a_registry_is_refused(self, make, registry, quality):
        """The second monitor is an error that says the fix, and the first one goes on."""
        before = scrape(registry).keys()
        with pytest.raises(ValueError, match=r"close\(\)"):
            make()
        assert scrape(registry).keys() == before
        have_call(quality, "still-works")
        assert scored_calls(scrape(registry)) == {"still-works": 100}

    def test_a_registry_with_one_of_the_names_is_refused_and_left_alone(self, make, registry):
        """A name that somebody else has registered is an error, and nothing stays half-made."""
        Counter("ai_agent_calls_started_total", "Somebody else's.", registry=registry)
        with pytest.raises(ValueError, match="ai_agent_calls_started"):
            make()
        assert [family.name for family in registry.collect()] == ["ai_agent_calls_started"]

    def test_registries_do_not_share_anything(self, registry, quality, clock):
        """Two monitors on two registries count apart."""
        other_registry = CollectorRegistry()
        other = aeq.QualityMonitor(registry=other_registry, clock=clock, log=False)
        have_call(quality, "one")
        assert scored_calls(scrape(registry)) == {"one": 100}
        assert scored_calls(scrape(other_registry)) == {}
        assert distinct(scrape(other_registry), "ai_agent_calls_started_total", "provider") == set()
        other.close()


class TestPerCallSamples:
    def test_a_finished_call_has_one_sample_with_its_score(self, quality, registry):
        """At call end, one sample with the call id as its only label shows the score."""
        score = have_call(quality, "1761532874.2245", turn=1.5)
        assert scored_calls(scrape(registry)) == {"1761532874.2245": score.score}

    def lost(self, registry):
        """Return {call id: {factor: points}} of the samples that are shown."""
        found = {}
        for (name, labels), points in scrape(registry).items():
            if name == "ai_agent_call_quality_points_lost":
                of = dict(labels)
                found.setdefault(of["call_id"], {})[of["factor"]] = points
        return found

    def test_what_cost_the_points_and_the_ceiling_that_held_stand_beside_it(
        self, quality, registry
    ):
        """Only what was lost has a sample; together with the score they make 100."""
        score = have_call(quality, "slow", turn=3.2)
        have_call(quality, "perfect")
        (call,) = self.lost(registry).items()
        assert call[0] == "slow"
        assert call[1]["latency"] == round(score.factor("latency").penalty, 2)
        assert score.deciding_ceiling.rule == "latency"
        assert call[1]["ceiling_latency"] == pytest.approx(score.raw - 59)
        assert sum(call[1].values()) == pytest.approx(100 - score.score, abs=0.5)

    def test_its_turns_name_its_provider(self, quality, registry):
        """The number of turns stands beside the score, with the provider's own label."""
        have_call(quality, "call", provider="OpenAI Realtime")
        labels = {"call_id": "call", "provider": "openai_realtime"}
        assert value(scrape(registry), "ai_agent_call_quality_turns", **labels) == 1

    def test_all_of_a_calls_samples_go_together(self, quality, registry, clock):
        """After 15 minutes no sample has the call's id any more."""
        have_call(quality, "slow", turn=3.2)
        clock.advance(899.0)
        assert self.lost(registry)
        clock.advance(1.0)
        assert not [labels for _, labels in scrape(registry) if "call_id" in dict(labels)]

    def test_five_hundred_bad_calls_stay_within_bounds(self, quality, registry):
        """Of the calls that are shown each has a sample for each factor and one ceiling at most."""
        for number in range(600):
            have_call(quality, f"call-{number}", turn=3.2)
        samples = [dict(labels) for _, labels in scrape(registry) if "call_id" in dict(labels)]
        assert {labels["call_id"] for labels in samples} == {f"call-{n}" for n in range(100, 600)}
        assert len(samples) <= 500 * (2 + len(aeq.DEFAULT_POLICY.weights) + 1)

    def test_live_and_unscored_calls_have_none(self, quality, registry):
        """Neither a call in progress nor one without a score has a sample: no data is not 0."""
        quality.call_started("live")
        quality.call_started("abandoned")
        assert quality.call_ended("abandoned", duration=2.0).score is None
        assert scored_calls(scrape(registry)) == {}

    @pytest.mark.parametrize("call_id", [*STRANGE_IDS, "x" * 256, '"' + "x" * 100])
    @pytest.mark.parametrize(
        ("generate", "parse"),
        [(generate_latest, parse_text), (generate_openmetrics, parse_openmetrics)],
        ids=["text", "openmetrics"],
    )
    def test_strange_call_ids_round_trip(self, quality, registry, call_id, generate, parse):
        """Quotes, backslashes and any script come back from both formats as they went in."""
        have_call(quality, call_id)
        families = {family.name: family for family in parse(generate(registry).decode())}
        assert [s.labels["call_id"] for s in families[SCORE].samples] == [call_id]

    @pytest.mark.parametrize("call_id", ODD_QUOTES)
    def test_odd_quotes_round_trip_in_text(self, quality, registry, call_id):
        """A single quote, wherever it stands, comes back from the text format as it went in."""
        have_call(quality, call_id)
        assert scored_calls(scrape(registry)) == {call_id: 100}

    @pytest.mark.parametrize(
        "every", [pytest.param(1.0, marks=pytest.mark.slow), 15.0, 60.0, 899.0]
    )
    def test_it_stays_15_minutes_however_often_it_is_read(self, quality, registry, clock, every):
        """Read each second or once, a sample is there until 15 min after the call's end."""
        have_call(quality, "call")
        ended = clock.now
        while clock.now + every < ended + 900.0:
            clock.advance(every)
            assert "call" in scored_calls(scrape(registry))
        clock.now = ended + 899.9
        assert "call" in scored_calls(scrape(registry))
        clock.now = ended + 900.0
        after = scrape(registry)
        assert scored_calls(after) == {}
        assert value(after, "ai_agent_quality_series_retained") == 0
        assert dropped(after, "sample_evicted") == 0

    def test_a_sample_that_nobody_read_goes_after_15_minutes_too(self, quality, registry, clock):
        """Nobody has to read a sample for it to go: it isn't counted as evicted by the bound."""
        have_call(quality, "call")
        clock.advance(900.0)
        after = scrape(registry)
        assert scored_calls(after) == {}
        assert dropped(after, "sample_evicted") == 0

    def test_the_501st_call_evicts_the_oldest(self, quality, registry):
        """At most 500 calls are kept: the newest; the one evicted unseen is counted."""
        for number in range(501):
            have_call(quality, f"call-{number}")
        after = scrape(registry)
        assert scored_calls(after).keys() == {f"call-{number}" for number in range(1, 501)}
        assert value(after, "ai_agent_quality_series_retained") == 500
        assert dropped(after, "sample_evicted") == 1

    @pytest.mark.parametrize(("age", "counted"), [(0.0, 1), (59.9, 1), (60.0, 0), (899.0, 0)])
    def test_only_evictions_of_the_first_minute_are_counted(
        self, make, registry, clock, age, counted
    ):
        """What the bound evicts before a scraper of 60 s can have read it is counted."""
        quality = make(retention=aeq.Retention(max_calls=1))
        have_call(quality, "evicted")
        scrape(registry)  # it makes no difference that somebody did
        clock.advance(age)
        have_call(quality, "newer")
        after = scrape(registry)
        assert scored_calls(after).keys() == {"newer"}
        assert dropped(after, "sample_evicted") == counted

    @pytest.mark.slow
    def test_a_second_reader_takes_no_call_from_prometheus(self, quality, registry, clock):
        """A ``curl`` each second takes none of 300 calls from a Prometheus that was down."""
        seen_by_prometheus = set()
        for second in range(900):
            if second < 300:
                have_call(quality, f"call-{second}")
            clock.advance(1.0)
            generate_latest(registry)
            if second % 15 == 0 and not 60 <= second < 660:
                seen_by_prometheus |= scored_calls(scrape(registry)).keys()
        assert seen_by_prometheus == {f"call-{number}" for number in range(300)}
        assert dropped(scrape(registry), "sample_evicted") == 0

    def test_a_read_that_is_broken_off_takes_nothing(self, quality, registry, clock):
        """A reader that goes away in the middle leaves each sample as it was."""
        have_call(quality, "call")
        for _ in range(10):
            next(iter(registry.collect()))
        clock.advance(300.0)
        assert scored_calls(scrape(registry)) == {"call": 100}

    @pytest.mark.parametrize("scrapers", [(1,), (15,), (1, 15)])
    def test_every_scraper_sees_every_call(self, quality, registry, clock, scrapers):
        """A 1 s and a 15 s scraper, alone or together, see every call at 500 ends an interval."""
        per_second = 500 // max(scrapers)
        seen = {scraper: set() for scraper in scrapers}
        ended = set()
        for second in range(1, (6 if max(scrapers) == 1 else 46)):
            for number in range(per_second):
                call_id = f"{second}-{number}"
                have_call(quality, call_id)
                ended.add(call_id)
            clock.advance(1.0)
            for scraper in scrapers:
                if second % scraper == 0:
                    seen[scraper] |= scored_calls(scrape(registry)).keys()
        assert len(ended) > 1000
        for scraper in scrapers:
            assert ended - seen[scraper] == set()

    @pytest.mark.slow
    def test_ten_thousand_calls_leave_at_most_500_samples_and_none_later(
        self, quality, registry, clock
    ):
        """10,000 calls leave 500 samples at most, and 15 min later none, nor any memory of one."""
        have_call(quality, "before")
        clock.advance(900.0)
        scrape(registry)
        before = reachable(quality)
        for number in range(10_000):
            have_call(quality, f"call-{number}")
            clock.advance(0.01)
            if number % 1000 == 999:
                assert len(scored_calls(scrape(registry))) == 500
        clock.advance(900.0)
        after = scrape(registry)
        assert scored_calls(after) == {}
        assert value(after, "ai_agent_quality_series_retained") == 0
        group = {"provider": "deepgram", "pipeline": "default"}
        assert value(after, "ai_agent_call_scores_count", **group) == 10_001
        assert reachable(quality) < before + 100

    def test_ids_leave_the_text_with_their_sample(self, quality, registry, clock):
        """Once the sample is gone, the text format holds the call id nowhere."""
        have_call(quality, "call-to-forget")
        assert b"call-to-forget" in generate_latest(registry)
        clock.advance(900.0)
        assert b"call-to-forget" not in generate_latest(registry)

    def test_the_same_id_again_replaces_its_sample(self, make, registry, clock):
        """A call id used again, after its tombstone, has the new sample, which is the youngest."""
        quality = make(retention=aeq.Retention(max_seconds=3_600.0))
        have_call(quality, "again")
        have_call(quality, "other")
        clock.advance(900.0)
        assert have_call(quality, "again", turn=2.5).score == 74
        assert scored_calls(scrape(registry)) == {"again": 74, "other": 100}
        clock.advance(2_700.0)
        assert scored_calls(scrape(registry)) == {"again": 74}

    def test_retention_is_the_operators_to_choose(self, make, registry, clock):
        """Each number of the retention decides."""
        quality = make(retention=aeq.Retention(max_seconds=20.0, max_calls=2))
        have_call(quality, "a")
        have_call(quality, "b")
        have_call(quality, "c")
        assert scored_calls(scrape(registry)).keys() == {"b", "c"}
        clock.advance(10.0)
        have_call(quality, "d")
        assert scored_calls(scrape(registry)).keys() == {"c", "d"}
        clock.advance(10.0)
        assert scored_calls(scrape(registry)).keys() == {"d"}
        clock.advance(10.0)
        assert scored_calls(scrape(registry)) == {}

    @pytest.mark.parametrize(
        "wrong",
        [
            {"max_calls": 0},
            {"max_calls": 2.5},
            {"max_calls": True},
            {"max_seconds": 0.0},
            {"max_seconds": -1.0},
            {"max_seconds": float("nan")},
            {"max_seconds": float("inf")},
            {"max_seconds": "900"},
        ],
        ids=repr,
    )
    def test_an_impossible_retention_is_refused_at_the_start(self, registry, wrong):
        """A retention that could not be kept, or would keep for ever, raises where it is set."""
        with pytest.raises((TypeError, ValueError), match=next(iter(wrong))):
            aeq.QualityMonitor(registry=registry, log=False, retention=aeq.Retention(**wrong))


class TestPerCallSeriesOff:
    def test_no_call_id_is_anywhere(self, make, registry):
        """Off, there is no sample per call, no call_id label and no exemplar; the rest counts."""
        quality = make(per_call_series=False)
        have_call(quality, "1761532874.2245")
        for text in (generate_latest(registry), generate_openmetrics(registry)):
            assert b"call_id=" not in text
            assert b"1761532874" not in text
        after = scrape(registry)
        assert value(after, "ai_agent_quality_series_retained") == 0
        assert (
            value(after, "ai_agent_call_scores_count", provider="deepgram", pipeline="default") == 1
        )
        assert "ai_agent_call_quality_score" in {f.name for f in registry.collect()}


class TestExemplars:
    def exemplars(self, registry):
        return [
            sample.exemplar.labels
            for family in parse_openmetrics(generate_openmetrics(registry).decode())
            for sample in family.samples
            if sample.exemplar
        ]

    @pytest.mark.parametrize("length", [1, 99, 100])
    def test_openmetrics_names_a_call(self, quality, registry, length):
        """In OpenMetrics the score's bucket names its call, up to 100 characters."""
        have_call(quality, "x" * length)
        assert self.exemplars(registry) == [{"call_id": "x" * length}]

    @pytest.mark.parametrize("length", [101, 256])
    def test_long_ids_are_no_exemplars(self, quality, registry, length):
        """A longer id has no exemplar, which could not be parsed, and is counted all the same."""
        have_call(quality, "x" * length)
        assert self.exemplars(registry) == []
        after = scrape(registry)
        assert (
            value(after, "ai_agent_call_scores_count", provider="deepgram", pipeline="default") == 1
        )

    @pytest.mark.parametrize("call_id", [*STRANGE_IDS, "📞" * 100])
    def test_strange_ids_are_exemplars_too(self, quality, registry, call_id):
        """Whatever is allowed as an id round trips as an exemplar."""
        have_call(quality, call_id)
        assert self.exemplars(registry) == [{"call_id": call_id}]

    def test_the_text_format_has_none(self, quality, registry):
        """The text format has no exemplars: Prometheus would refuse the scrape."""
        have_call(quality, "call")
        lines = generate_latest(registry).decode().splitlines()
        assert [line for line in lines if not line.startswith("#") and " # " in line] == []


class TestCounting:
    def test_buckets_count_the_bands_exactly(self, quality, registry):
        """One call of each score from 0 to 100: every bucket's edge is a band's edge."""
        for points in range(101):
            quality.policy = aeq.DEFAULT_POLICY.with_changes({"ceilings": {"call_failed": points}})
            assert have_call(quality, f"call-{points}", failed=True).score == points
        after = scrape(registry)
        group = {"provider": "deepgram", "pipeline": "default"}
        buckets = {
            le: value(after, "ai_agent_call_scores_bucket", le=le, **group)
            for le in ("20.0", "40.0", "59.0", "74.0", "89.0", "100.0", "+Inf")
        }
        assert buckets == {
            "20.0": 21,
            "40.0": 41,
            "59.0": 60,
            "74.0": 75,
            "89.0": 90,
            "100.0": 101,
            "+Inf": 101,
        }
        assert value(after, "ai_agent_call_scores_sum", **group) == sum(range(101))
        by_band = {
            band.value: value(after, "ai_agent_calls_scored_total", band=band.value, **group)
            for band in aeq.Band
        }
        assert by_band == {"excellent": 11, "good": 15, "fair": 15, "poor": 60}

    def test_score_buckets_are_the_promised_ones(self, quality, registry):
        """The score histogram has these edges and no others."""
        have_call(quality, "call")
        assert distinct(scrape(registry), "ai_agent_call_scores_bucket", "le") == {
            "20.0",
            "40.0",
            "59.0",
            "74.0",
            "89.0",
            "100.0",
            "+Inf",
        }

    def test_each_unscored_reason_is_counted(self, quality, registry, clock):
        """Calls without a score are counted by reason, and by nothing that claims a score."""
        quality.call_started("abandoned")
        quality.call_ended("abandoned", duration=9.9)
        quality.call_started("greeting")
        quality.frames_sent("greeting", 100)
        quality.underflow("greeting", 0)
        quality.call_ended("greeting", duration=29.0)
        quality.call_started("blind")
        quality.barge_in("blind", 0.2)
        quality.call_ended("blind", duration=300.0)
        quality.call_started("mailbox")
        quality.call_ended("mailbox", duration=30.0, outcome="voicemail")
        quality.call_started("leaked")
        clock.advance(4 * 3600.0)
        after = scrape(registry)
        reasons = {
            reason: value(after, "ai_agent_calls_unscored_total", reason=reason)
            for reason in distinct(after, "ai_agent_calls_unscored_total", "reason")
        }
        assert reasons == dict.fromkeys(UNSCORED_REASONS, 1)
        assert (
            sum(
                found for (name, _), found in after.items() if name == "ai_agent_calls_scored_total"
            )
            == 0
        )

    def test_penalty_points_add_up(self, quality, registry):
        """The points lost, by factor, are the sum of what the scores say."""
        scores = [have_call(quality, f"call-{n}", turn=turn) for n, turn in enumerate((1.5, 2.5))]
        after = scrape(registry)
        for name in ("latency", "underflow", "fallback", "barge_in", "codec", "rms"):
            assert value(
                after,
                "ai_agent_call_quality_penalty_points_total",
                provider="deepgram",
                pipeline="default",
                factor=name,
            ) == pytest.approx(sum(score.factor(name).penalty for score in scores))

    def test_ceilings_are_counted_by_their_rule(self, quality, registry):
        """Each ceiling that applies to a call counts once by its rule; the others stay 0."""
        score = have_call(quality, "slow", turn=3.5)
        after = scrape(registry)
        assert {ceiling.rule for ceiling in score.ceilings} >= {"latency"}
        for rule in distinct(after, "ai_agent_call_ceilings_total", "rule"):
            assert value(
                after, "ai_agent_call_ceilings_total", provider="deepgram", rule=rule
            ) == sum(ceiling.rule == rule for ceiling in score.ceilings)

    def test_every_rule_that_a_score_can_name_is_a_ceiling_of_the_policy(self):
        """The rules that begin at zero are those of all policies, so no ceiling is unknown."""
        policies = [aeq.Policy.load(version).to_dict() for version in versions()]
        named = {name for policy in policies for name in policy["ceilings"]}
        assert set(CEILINGS) == named

    def test_coverage_is_averaged_over_every_call_that_ended(self, quality, registry):
        """Sum and count are those of the scores' coverage, unscored calls included."""
        scores = [have_call(quality, f"call-{n}") for n in range(3)]
        quality.call_started("nothing", provider="deepgram", pipeline="default")
        scores.append(quality.call_ended("nothing", duration=3.0))
        after = scrape(registry)
        total = value(after, "ai_agent_call_coverage_ratio_sum", provider="deepgram")
        assert total == pytest.approx(sum(score.coverage for score in scores))
        assert value(after, "ai_agent_call_coverage_ratio_count", provider="deepgram") == 4

    def test_clipping_is_that_of_the_agent_and_only_where_it_was_measured(self, quality, registry):
        """A clipped agent counts with its share; the caller's clipping and silence do not."""
        loud = b"\xff\x7f" * 80 + b"\x00\x80" * 80
        for call_id, stage in (("agent", "provider_out"), ("caller", "transport_in")):
            quality.call_started(call_id, provider="p", pipeline="q")
            for _ in range(4_000):
                quality.audio(call_id, stage, loud, encoding="slin16", sample_rate=8_000)
            quality.call_ended(call_id, duration=80.0)
        after = scrape(registry)
        assert value(after, "ai_agent_call_clipped_ratio_count", provider="p") == 1
        assert value(after, "ai_agent_call_clipped_ratio_sum", provider="p") == pytest.approx(1.0)

    def test_corrupt_seconds_are_counted_by_kind_and_pace_where_text_was_told(
        self, quality, registry
    ):
        """All of a held track's speech is corrupt; and its characters are told by the second."""
        tone = 4_000 * np.sin(2 * np.pi * 431 * np.arange(80 * 500) / 8_000)
        held = np.repeat(tone, 2).astype("<i2").tobytes()
        quality.call_started("held", provider="p", pipeline="q")
        for at in range(0, len(held), 320):
            quality.audio(
                "held", "transport_out", held[at : at + 320], encoding="slin16", sample_rate=8_000
            )
        quality.frames_sent("held", 500)
        quality.turn_response("held", 0.4)
        quality.words_spoken("held", characters=160)
        score = quality.call_ended("held", duration=60.0)
        after = scrape(registry)
        corrupt = value(
            after, "ai_agent_call_corrupt_audio_seconds_total", provider="p", kind="held_samples"
        )
        assert corrupt == pytest.approx(10, abs=0.2)
        assert "held_samples" in {ceiling.rule for ceiling in score.ceilings}
        name = "ai_agent_call_pace_characters_per_second"
        assert value(after, f"{name}_count", provider="p") == 1
        assert value(after, f"{name}_sum", provider="p") == pytest.approx(16, abs=0.5)

    def test_underflow_is_observed_where_it_was_reported(self, quality, registry):
        """The underflow histogram has each call's effective ratio, and no call that had none."""
        quality.call_started("known", provider="p", pipeline="q")
        quality.turn_response("known", 0.4)
        quality.frames_sent("known", 99)
        quality.underflow("known", 1, episodes=1)
        known = quality.call_ended("known", duration=60.0)
        quality.call_started("unknown", provider="p", pipeline="q")
        quality.turn_response("unknown", 0.4)
        assert not quality.call_ended("unknown", duration=60.0).factor("underflow").observed
        after = scrape(registry)
        group = {"provider": "p", "pipeline": "q"}
        assert known.factor("underflow").value == pytest.approx(0.01)
        assert value(after, "ai_agent_call_underflow_ratio_count", **group) == 1
        assert value(after, "ai_agent_call_underflow_ratio_sum", **group) == pytest.approx(0.01)

    def test_starts_and_ends_are_counted(self, quality, registry):
        """Each call counts once as started and once as ended, whatever else is reported."""
        quality.call_started("a", provider="deepgram")
        quality.call_started("a", provider="deepgram")
        quality.call_started("b", provider="deepgram")
        quality.call_ended("a", outcome="completed")
        quality.call_ended("a", outcome="completed")
        after = scrape(registry)
        assert value(after, "ai_agent_calls_started_total", provider="deepgram") == 2
        ended = value(after, "ai_agent_calls_ended_total", provider="deepgram", outcome="completed")
        assert ended == 1
        assert value(after, "ai_agent_calls_active") == 1

    def test_counters_start_at_zero_with_a_providers_first_call(self, make, registry):
        """All series of a provider are there, and 0, before its first call ends: so rates count."""
        quality = make(costs={"deepgram": aeq.CallCost(0.1, "USD")})
        quality.call_started("first", provider="deepgram", pipeline="default")
        before = scrape(registry)
        group = {"provider": "deepgram", "pipeline": "default"}
        for band in aeq.Band:
            assert value(before, "ai_agent_calls_scored_total", band=band.value, **group) == 0
        for factor in ("latency", "underflow", "fallback", "barge_in", "codec", "rms"):
            name = "ai_agent_call_quality_penalty_points_total"
            assert value(before, name, factor=factor, **group) == 0
        for outcome in ("unknown", "completed", "failed", "expired"):
            name = "ai_agent_calls_ended_total"
            assert value(before, name, provider="deepgram", outcome=outcome) == 0
        for name in ("call_scores", "call_turn_response_seconds", "call_underflow_ratio"):
            assert value(before, f"ai_agent_{name}_count", **group) == 0
        for reason in ("abandoned", "no_conversation", "too_little_evidence"):
            assert value(before, "ai_agent_calls_unscored_total", reason=reason) == 0
        assert dropped(before, "wrong_type") == 0

    def test_cost_starts_at_zero_with_a_providers_first_call(self, make, registry):
        """The cost of a configured provider is there, and 0, before its first call ends."""
        quality = make(costs={"deepgram": aeq.CallCost(0.1, "USD")})
        quality.call_started("first", provider="deepgram")
        cost = {"provider": "deepgram", "currency": "USD"}
        assert scrape(registry).get(("ai_agent_call_cost_total", frozenset(cost.items()))) == 0

    def test_a_provider_known_later_starts_at_zero_too(self, quality, registry):
        """A provider that becomes known during its call has its series before the call ends."""
        quality.call_started("call")
        quality.call_updated("call", provider="deepgram", pipeline="default")
        before = scrape(registry)
        ended = {"provider": "deepgram", "outcome": "completed"}
        group = {"provider": "deepgram", "pipeline": "default", "band": "good"}
        assert before.get(("ai_agent_calls_ended_total", frozenset(ended.items()))) == 0
        assert before.get(("ai_agent_calls_scored_total", frozenset(group.items()))) == 0

    def test_a_call_counts_for_the_provider_that_it_ended_with(self, quality, registry):
        """A provider that was reported later, under any spelling, is the one that counts."""
        quality.call_started("call")
        quality.turn_response("call", 0.4)
        quality.call_updated("call", provider="OpenAI Realtime")
        quality.call_ended("call", pipeline="Default", duration=60.0)
        group = {"provider": "openai_realtime", "pipeline": "default"}
        assert value(scrape(registry), "ai_agent_call_scores_count", **group) == 1


class TestCost:
    def cost(self, registry, **labels):
        return scrape(registry).get(("ai_agent_call_cost_total", frozenset(labels.items())))

    def test_it_is_the_rate_times_the_minutes(self, make, registry):
        """Each call adds its minutes times its provider's rate, scored or not."""
        quality = make(
            costs={
                "OpenAI Realtime": aeq.CallCost(0.3, "USD"),
                "deepgram": aeq.CallCost(0.05, "EUR"),
            }
        )
        have_call(quality, "a", provider="openai-realtime", duration=90.0)
        have_call(quality, "b", provider="OpenAI Realtime", duration=30.0)
        quality.call_started("c", provider="deepgram")
        assert quality.call_ended("c", duration=6.0).score is None
        openai = self.cost(registry, provider="openai_realtime", currency="USD")
        assert openai == pytest.approx(0.6)
        deepgram = self.cost(registry, provider="deepgram", currency="EUR")
        assert deepgram == pytest.approx(0.005)

    def test_a_provider_without_a_rate_costs_nothing(self, make, registry):
        """No rate, no series: an unknown cost is not 0."""
        quality = make(costs={"deepgram": aeq.CallCost(0.05, "EUR")})
        have_call(quality, "a", provider="local", duration=90.0)
        assert distinct(scrape(registry), "ai_agent_call_cost_total", "provider") <= {"deepgram"}

    def test_the_clock_measures_where_no_duration_is_given(self, make, registry, clock):
        """Without a reported duration the call's minutes are the monotonic clock's."""
        quality = make(costs={"deepgram": aeq.CallCost(1.0, "EUR")})
        quality.call_started("a", provider="deepgram")
        clock.advance(120.0)
        quality.call_ended("a")
        assert self.cost(registry, provider="deepgram", currency="EUR") == pytest.approx(2.0)

    @pytest.mark.parametrize("duration", [None, 600.0])
    def test_a_call_that_the_engine_calls_expired_costs_nothing(
        self, make, registry, clock, duration
    ):
        """Its end never came, whoever notices it: nobody knows its minutes."""
        quality = make(costs={"deepgram": aeq.CallCost(1.0, "EUR")})
        quality.call_started("a", provider="deepgram")
        clock.advance(7_200.0)
        score = quality.call_ended("a", outcome="expired", duration=duration)
        assert score.unscored_reason == "expired"
        assert self.cost(registry, provider="deepgram", currency="EUR") == 0

    def test_a_rate_holds_for_a_provider_shown_as_other(self, make, registry):
        """Money is counted also where the provider's name is beyond the labels' bound."""
        quality = make(costs={"dear": aeq.CallCost(1.0, "EUR")})
        for number in range(50):
            quality.call_started(f"call-{number}", provider=f"provider-{number}")
        have_call(quality, "a", provider="dear", duration=60.0)
        assert self.cost(registry, provider="other", currency="EUR") == pytest.approx(1.0)

    @pytest.mark.parametrize(
        ("rate", "currency", "named"),
        [
            (-0.1, "USD", "per_minute"),
            (float("nan"), "USD", "per_minute"),
            (float("inf"), "USD", "per_minute"),
            ("0.1", "USD", "per_minute"),
            (0.1, "", "currency"),
        ],
    )
    def test_a_rate_that_is_none_is_refused_at_the_start(self, rate, currency, named):
        """A wrong rate raises where it is set: later it would spoil the count of every call."""
        with pytest.raises(ValueError, match=rf"^{named} must be "):
            aeq.CallCost(rate, currency)

    def test_a_cost_that_is_no_call_cost_is_refused(self, registry):
        """A bare number is no cost: it has no currency."""
        with pytest.raises(TypeError, match=r"costs\.deepgram"):
            aeq.QualityMonitor(registry=registry, log=False, costs={"deepgram": 0.1})


class TestLabelBounds:
    def test_the_51st_provider_is_other(self, quality, registry):
        """50 distinct providers and pipelines keep their names; further ones are ``other``."""
        for number in range(60):
            have_call(quality, f"call-{number}", provider=f"p{number}", pipeline=f"q{number}")
        after = scrape(registry)
        assert distinct(after, "ai_agent_calls_started_total", "provider") == {
            "other",
            *(f"p{number}" for number in range(50)),
        }
        assert distinct(after, "ai_agent_call_scores_count", "pipeline") == {
            "other",
            *(f"q{number}" for number in range(50)),
        }
        assert value(after, "ai_agent_calls_started_total", provider="other") == 10
        group = {"provider": "other", "pipeline": "other"}
        assert value(after, "ai_agent_call_scores_count", **group) == 10
        assert value(after, "ai_agent_call_turn_response_seconds_count", **group) == 10

    def test_pairs_are_bounded_too(self, quality, registry, dropped):
        """60 providers by 60 pipelines are 100 pairs and ``other``; none of 3,600 calls is lost."""
        for number in range(3_600):
            pair = {"provider": f"p{number // 60}", "pipeline": f"q{number % 60}"}
            have_call(quality, f"call-{number}", **pair, outcome=f"o{number % 59}")
        text = generate_latest(registry).decode()
        assert len([line for line in text.splitlines() if not line.startswith("#")]) <= 20_000
        after = scrape(registry)
        counts = [key for key in after if key[0] == "ai_agent_call_scores_count"]
        assert len(counts) == 101
        assert sum(after[key] for key in counts) == 3_600
        assert value(after, "ai_agent_call_scores_count", provider="p1", pipeline="q39") == 1
        rest = {"provider": "other", "pipeline": "other"}
        assert value(after, "ai_agent_call_scores_count", **rest) == 3_491
        assert dropped("counted_as_other") == 3_501  # p0 has one with 10 further pipelines
        ended = {key: n for key, n in after.items() if key[0] == "ai_agent_calls_ended_total"}
        assert sum(ended.values()) == 3_600
        assert len(ended) <= 51 * 10 + 200
        # What goes by provider alone still does.
        assert value(after, "ai_agent_call_coverage_ratio_count", provider="p49") == 60
        assert value(after, "ai_agent_call_coverage_ratio_count", provider="other") == 600

    def test_a_scrape_is_bounded_when_everything_is_used(self, make, registry):
        """60 by 60 calls that lose points to all factors, with costs, stages, hooks and facts."""
        costs = {f"p{number}": aeq.CallCost(0.1, "USD") for number in range(60)}
        quality = make(costs=costs, logger=Silent())
        for number in range(3_600):
            call_id = f"1761532874.{number}"
            provider, pipeline = f"p{number // 60}", f"q{number % 60}"
            quality.call_started(call_id, provider=provider, pipeline=pipeline)
            call = quality.call(call_id)
            for stage in ("stt", "end_of_turn", "llm", "tool", "tts"):
                call.turn_stage(stage, 1.5)
            call.turn_response(5.0)
            call.frames_sent(400)
            call.underflow(100)
            call.fallback("disk")
            call.barge_in(3.0)
            call.codec_alignment(aligned=False)
            for _ in range(50):
                call.audio_level("provider_out", 250.0)
            call.call_ended(duration=100.0, outcome=f"o{number % 59}", failed=number % 2 == 0)
        for number in range(300):
            quality.hook_live(f"factor-{number}", True, f"clock-{number}")
            hook = type(f"Hook{number}", (), {"__call__": raises.__get__(number)})()
            quality.add_hook(hook)
        have_call(quality, "last")
        lines = generate_latest(registry).decode().splitlines()
        samples = [line for line in lines if not line.startswith("#")]
        assert 15_000 < len(samples) <= 20_000
        stages = [line for line in samples if "turn_stage_seconds_count" in line]
        assert len(stages) == (20 + 1) * 5
        assert sum(float(line.rpartition(" ")[2]) for line in stages) == 5 * 3_600

    @pytest.mark.parametrize("provider", [None, "", "  ", "???", 7, b"deepgram"])
    def test_what_is_no_name_is_unknown(self, quality, registry, provider):
        """A provider that is missing, empty or no text is ``unknown``, and the call counts."""
        have_call(quality, "call", provider=provider, pipeline=provider)
        after = scrape(registry)
        assert distinct(after, "ai_agent_calls_started_total", "provider") == {"unknown"}
        group = {"provider": "unknown", "pipeline": "unknown"}
        assert value(after, "ai_agent_call_scores_count", **group) == 1

    def test_unknown_takes_no_place(self, quality, registry):
        """``unknown`` is beside the 50 names, not one of them."""
        have_call(quality, "nameless", provider=None)
        for number in range(50):
            have_call(quality, f"call-{number}", provider=f"p{number}")
        found = distinct(scrape(registry), "ai_agent_calls_started_total", "provider")
        assert found == {"unknown", *(f"p{number}" for number in range(50))}

    def test_outcomes_and_hooks_are_bounded(self, make, registry):
        """Free outcomes and many hooks can't fill the registry either."""
        quality = make(logger=Silent())
        for number in range(200):
            have_call(quality, f"call-{number}", outcome=f"outcome-{number}")
        for number in range(80):
            hook = type(f"Hook{number}", (), {"__call__": raises.__get__(number)})()
            quality.add_hook(hook)
        have_call(quality, "last")
        after = scrape(registry)
        assert len(distinct(after, "ai_agent_calls_ended_total", "outcome")) <= 51
        assert len(distinct(after, "ai_agent_quality_hook_failures_total", "hook")) <= 51

    @pytest.mark.slow
    def test_memory_is_bounded_by_the_labels(self, make, registry, clock):
        """5,000 providers and pipelines leave no more series, nor memory, than 60 do."""
        quality = make(per_call_series=False, logger=Silent())

        def left_by(first, last):
            for number in range(first, last):
                name = f"name-{number}"
                quality.call_started(name, provider=name, pipeline=name)
                quality.call_updated(name, provider=f"other-{name}")
                quality.call_ended(name, outcome=name, duration=1.0)
            clock.advance(900.0)  # until the calls themselves are forgotten
            shown = scrape(registry)
            # On a busy machine an output of our own may have been slow, which is a series.
            slow = [key for key in shown if "hook_failures" in key[0]]
            return len(shown) - len(slow), reachable(quality)

        series, objects = left_by(0, 60)
        later_series, later_objects = left_by(60, 5_000)
        assert later_series == series
        assert later_objects < objects + 100

    def test_hooks_that_an_engine_tells_are_bounded(self, quality, registry):
        """20,000 names of hooks, told to be live, are 51 series; another clock is ``other``."""
        for number in range(20_000):
            quality.hook_live(f"factor-{number}", live=True, clock=f"clock-{number}")
        found = distinct(scrape(registry), "ai_agent_quality_hook_live", "factor")
        assert found == {"other", *(f"factor-{number}" for number in range(50))}
        clocks = distinct(scrape(registry), "ai_agent_quality_hook_live", "clock")
        assert clocks == {"other"}

    def test_what_cannot_be_text_is_unknown(self, quality, registry, dropped):
        """Neither ``engine_info`` nor ``hook_live`` raises on what has no text or no truth."""

        class Treacherous:
            def __str__(self):
                raise RuntimeError("no text")

            __repr__ = __format__ = __bool__ = __hash__ = __eq__ = __str__

        wrong = Treacherous()
        quality.engine_info(version=wrong, audio_transport=wrong)
        quality.hook_live(wrong, live=True, clock=wrong)
        quality.hook_live("latency", live=wrong)
        after = scrape(registry)
        assert distinct(after, "ai_agent_engine_info", "version") == {"unknown"}
        assert distinct(after, "ai_agent_quality_hook_live", "factor") >= {"unknown"}
        assert dropped("wrong_type") == 1

    def test_an_engine_that_changes_has_one_info(self, quality, registry):
        """The engine's info tells the last thing that was told, in one series."""
        for version in ("1", "2", "3"):
            quality.engine_info(version=version, audio_transport="rtp")
        assert distinct(scrape(registry), "ai_agent_engine_info", "version") == {"3"}


class TestTurnHistogram:
    def turns(self, registry, **labels):
        labels = {"provider": "p", "pipeline": "q", **labels}
        after = scrape(registry)
        name = "ai_agent_call_turn_response_seconds"
        return value(after, f"{name}_count", **labels), value(after, f"{name}_sum", **labels)

    def test_a_turn_is_there_with_the_next_scrape(self, quality, registry):
        """Turns of a call in progress are in the histogram when it is scraped, not at its end."""
        quality.call_started("call", provider="p", pipeline="q")
        quality.turn_response("call", 0.5)
        assert self.turns(registry) == (1, 0.5)
        quality.turn_response("call", 0.25)
        assert self.turns(registry) == (2, 0.75)
        quality.call_ended("call", duration=60.0)
        assert self.turns(registry) == (2, 0.75)

    @pytest.mark.parametrize("turns", [1, 511, 512, 513, 514, 600, 1200])
    @pytest.mark.parametrize("every", [1, 7, 512, 10_000])
    def test_no_turn_counts_twice(self, quality, registry, turns, every):
        """Scraped any number of times, over any number of turns, each turn counts once."""
        quality.call_started("call", provider="p", pipeline="q")
        for number in range(1, turns + 1):
            quality.turn_response("call", 0.25)
            if number % every == 0 and (every > 1 or number > turns - 20 or 500 < number < 520):
                assert self.turns(registry) == (number, number * 0.25)
        assert self.turns(registry) == (turns, turns * 0.25)
        quality.call_ended("call", duration=6_000.0)
        assert self.turns(registry) == (turns, turns * 0.25)

    def test_never_scraped_it_is_filled_at_the_end(self, quality, registry):
        """Many turns of many calls that nobody scraped are all there after their end."""
        for call_id in ("a", "b", "c"):
            quality.call_started(call_id, provider="p", pipeline="q")
            for _ in range(700):
                quality.turn_response(call_id, 0.25)
        for call_id in ("a", "b", "c"):
            quality.call_ended(call_id, duration=6_000.0)
        assert self.turns(registry) == (2_100, 525.0)

    def test_turns_of_other_number_types_count_too(self, quality, registry):
        """A whole number of seconds is a latency as well, once."""
        quality.call_started("call", provider="p", pipeline="q")
        quality.turn_response("call", 2)
        quality.turn_response("call", 0.5)
        assert self.turns(registry) == (2, 2.5)

    def test_rejected_turns_do_not_count(self, quality, registry):
        """What is no latency is in no bucket."""
        quality.call_started("call", provider="p", pipeline="q")
        for wrong in (-1.0, float("nan"), float("inf"), 300.1, None, "1"):
            quality.turn_response("call", wrong)
        assert self.turns(registry) == (0, 0.0)

    def test_buckets_hold_their_edge(self, quality, registry):
        """A latency on an edge is in that bucket, as Prometheus' ``le`` says."""
        quality.call_started("call", provider="p", pipeline="q")
        edges = sorted(
            float(le)
            for le in distinct(scrape(registry), "ai_agent_call_turn_response_seconds_bucket", "le")
        )[:-1]
        for edge in edges:
            quality.turn_response("call", edge)
        quality.turn_response("call", 299.0)
        after = scrape(registry)
        counts = [
            value(
                after,
                "ai_agent_call_turn_response_seconds_bucket",
                provider="p",
                pipeline="q",
                le=str(edge),
            )
            for edge in [*edges, "+Inf"]
        ]
        assert counts == [*range(1, len(edges) + 1), len(edges) + 1]

    def test_it_has_the_engines_own_edges(self, quality, registry):
        """The bands' seconds (1, 2, 3) and the alerts' (5) are edges, so that they are exact."""
        quality.call_started("call", provider="p", pipeline="q")
        found = distinct(scrape(registry), "ai_agent_call_turn_response_seconds_bucket", "le")
        assert {"1.0", "2.0", "3.0", "5.0", "+Inf"} <= found

    def test_a_turn_counts_for_the_provider_known_when_it_came(self, quality, registry):
        """Each turn is counted at once: those before a provider is known are ``unknown``."""
        quality.call_started("call")
        quality.turn_response("call", 0.5)
        quality.call_updated("call", provider="p", pipeline="q")
        quality.turn_response("call", 0.25)
        quality.call_ended("call", duration=60.0)
        assert self.turns(registry) == (1, 0.25)
        assert self.turns(registry, provider="unknown", pipeline="unknown") == (1, 0.5)

    def test_a_call_that_expires_is_counted_whole(self, quality, registry, clock):
        """The turns of a call that never ends are in the histogram when it expires."""
        quality.call_started("call", provider="p", pipeline="q")
        for _ in range(600):
            quality.turn_response("call", 0.25)
        clock.advance(5 * 3600.0)
        assert self.turns(registry) == (600, 150.0)
        assert value(scrape(registry), "ai_agent_calls_active") == 0


class TestScrapesAndCallsAtOnce:
    def run(self, *functions):
        """Run functions in threads of their own; return what they raised."""
        raised = []

        def guarded(function):
            try:
                function()
            except BaseException as error:
                raised.append(error)

        threads = [Thread(target=guarded, args=(function,), daemon=True) for function in functions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert [thread for thread in threads if thread.is_alive()] == []
        return raised

    def test_a_scraping_thread_disturbs_nothing(self, quality, registry):
        """Scrapes from another thread, while calls come and go, neither fail nor miscount."""
        done = Event()

        def engine():
            try:
                for number in range(1_000):
                    have_call(quality, f"call-{number}")
            finally:
                done.set()

        def scraper():
            while not done.is_set():
                scrape(registry)

        assert self.run(engine, scraper) == []
        after = scrape(registry)
        group = {"provider": "deepgram", "pipeline": "default"}
        assert value(after, "ai_agent_call_turn_response_seconds_count", **group) == 1_000
        assert value(after, "ai_agent_call_scores_count", **group) == 1_000
        assert value(after, "ai_agent_calls_active") == 0
        assert dropped(after, "internal_error") == 0

    def test_a_hook_may_scrape(self, quality, registry, clock):
        """A hook that reads the registry, at an end or at an expiry in a scrape, can't lock up."""
        seen = []

        def shown(score):
            after = scrape(registry)
            expired = value(after, "ai_agent_calls_unscored_total", reason="expired") == 1
            seen.append(expired or score.call_id in scored_calls(after))

        quality.add_hook(shown)

        def engine():
            have_call(quality, "ended")
            quality.call_started("forgotten")
            quality.turn_response("forgotten", 0.4)
            clock.advance(5 * 3600.0)
            scrape(registry)

        assert self.run(engine) == []
        assert seen == [True, True]

    def test_a_failing_hook_does_not_fail_a_scrape(self, make, registry, clock):
        """A call that expires in a scrape, with a hook that raises, leaves a whole exposition."""
        quality = make(logger=Silent())
        quality.add_hook(raises)
        quality.call_started("forgotten", provider="deepgram")
        quality.turn_response("forgotten", 0.4)
        clock.advance(5 * 3600.0)
        after = scrape(registry)
        assert dropped(after, "expired_call") == 1
        ended = {"provider": "deepgram", "outcome": "expired"}
        assert value(after, "ai_agent_calls_ended_total", **ended) == 1
        assert value(after, "ai_agent_calls_unscored_total", reason="expired") == 1
        assert scored_calls(after) == {}
        assert value(after, "ai_agent_calls_active") == 0


class TestLiveBands:
    @pytest.fixture(autouse=True)
    def _time_enough(self, monkeypatch):
        """Let a scrape make every band anew, however slow the machine is."""
        monkeypatch.setattr(live_calls, "RESCORE_SECONDS", 60.0)

    def by_band(self, samples):
        return {
            band: value(samples, "ai_agent_live_calls", band=band)
            for band in distinct(samples, "ai_agent_live_calls", "band")
        }

    def test_each_live_call_is_in_one_band(self, quality, registry):
        """The provisional bands add up to the calls in progress, and tell how they do."""
        for number, turn in enumerate((0.4, 1.5, 2.5, 9.0)):
            quality.call_started(f"call-{number}")
            quality.turn_response(f"call-{number}", turn)
            quality.frames_sent(f"call-{number}", 500)
            quality.underflow(f"call-{number}", 0)
        quality.call_started("just-begun")
        after = scrape(registry)
        bands = self.by_band(after)
        assert {"excellent", "good", "fair", "poor"} <= bands.keys()
        assert [bands[name] for name in ("excellent", "good", "fair", "poor")] == [1, 1, 1, 1]
        assert sum(bands.values()) == value(after, "ai_agent_calls_active") == 5

    def test_they_follow_the_call(self, quality, registry):
        """A band is made anew with the scrapes, as the call gets worse, and leaves with it."""
        quality.call_started("call")
        quality.turn_response("call", 0.4)
        quality.underflow("call", 0)
        assert self.by_band(scrape(registry))["excellent"] == 1
        quality.turn_response("call", 9.0)
        assert self.by_band(scrape(registry))["poor"] == 1
        quality.call_ended("call")
        assert sum(self.by_band(scrape(registry)).values()) == 0

    def test_few_are_rescored_in_a_scrape(self, quality, registry, monkeypatch):
        """A scrape rescores 20 calls at most, in turn, and counts all of them."""
        for number in range(50):
            quality.call_started(f"call-{number}")
            quality.turn_response(f"call-{number}", 9.0)
        rescored = []
        band_of = upkeep.provisional_band

        def counting(summary, policy):
            rescored.append(summary.call_id)
            return band_of(summary, policy)

        monkeypatch.setattr(upkeep, "provisional_band", counting)
        poor = []
        for _ in range(3):
            rescored.clear()
            after = scrape(registry)
            assert 0 < len(rescored) <= 20
            assert sum(self.by_band(after).values()) == 50
            assert value(after, "ai_agent_calls_active") == 50
            poor.append(self.by_band(after)["poor"])
        assert poor == [20, 40, 50]

    def test_a_scrape_that_has_no_time_left_rescores_one(self, quality, registry, monkeypatch):
        """Where the time for it is over, a scrape makes one band anew, and the next goes on."""
        monkeypatch.setattr(live_calls, "RESCORE_SECONDS", -1.0)
        for number in range(5):
            quality.call_started(f"call-{number}")
            quality.turn_response(f"call-{number}", 9.0)
        assert [self.by_band(scrape(registry))["poor"] for _ in range(3)] == [1, 2, 3]

    def test_ends_between_scrapes_keep_the_sum(self, quality, registry):
        """Whatever starts and ends between scrapes, the bands add up to the calls in progress."""
        for number in range(200):
            quality.call_started(f"call-{number}")
            quality.turn_response(f"call-{number}", (number % 5) + 0.3)
            if number % 3 == 0:
                quality.call_ended(f"call-{number}", duration=60.0)
            if number % 20 == 0:
                after = scrape(registry)
                assert sum(self.by_band(after).values()) == value(after, "ai_agent_calls_active")
        assert value(scrape(registry), "ai_agent_calls_active") == 133


MULTIPROCESS = """
    import os
    import sys
    import structlog
    structlog.configure(processors=[structlog.processors.JSONRenderer()],
                        logger_factory=structlog.PrintLoggerFactory(sys.stdout))
    import ai_engine_quality as aeq
    from prometheus_client import CollectorRegistry, generate_latest, multiprocess

    costs = {"deepgram": aeq.CallCost(0.1, "USD")}
    quality = aeq.QualityMonitor(registry=CollectorRegistry(), costs=costs)
    for name in ("one", "two"):
        quality.call_started(name, provider="deepgram", pipeline="default")
        for _ in range(600):
            quality.turn_response(name, 0.4)
        quality.turn_stage(name, "llm", 0.3)
        quality.frames_sent(name, 500)
        quality.underflow(name, 0)
        quality.call_ended(name, outcome="completed", duration=60.0)
    quality.call_started("live", provider="deepgram", pipeline="default")
    quality.hook_live("latency", live=True)
    quality.engine_info(version="4.0", audio_transport="rtp")

    @quality.on_call_end
    def failing(score):
        raise RuntimeError

    quality.call_started("abandoned", provider="deepgram", pipeline="default")
    quality.call_ended("abandoned", duration=1.0)
    child = os.fork()
    if not child:
        quality.call_started("child", provider="deepgram", pipeline="default")
        quality.turn_response("child", 0.4)
        quality.call_ended("child", outcome="completed", duration=60.0)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)
    quality.flush()
    print("EXPOSITION")
    print(generate_latest(registry).decode())
    print("END")
"""


@pytest.fixture(scope="module")
def multiprocess(tmp_path_factory):
    """Run an engine of two processes; return its log lines and what their aggregate shows."""
    folder = tmp_path_factory.mktemp("multiprocess")
    done = subprocess.run(
        [
            *(sys.executable, "-W", "error", "-W", "ignore:This process:DeprecationWarning"),
            *("-c", textwrap.dedent(MULTIPROCESS)),
        ],
        env={"PROMETHEUS_MULTIPROC_DIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    log, _, text = done.stdout.partition("END\n")[0].partition("EXPOSITION\n")
    samples = {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in parse_text(text)
        for sample in family.samples
    }
    return log, text, samples


class TestMultiprocessMode:
    def test_per_call_series_are_off_with_one_warning(self, multiprocess):
        """No call has a sample, since processes can't withdraw one; a single warning says so."""
        log, text, _ = multiprocess
        assert "call_id=" not in text
        warnings = [line for line in log.splitlines() if "PROMETHEUS_MULTIPROC_DIR" in line]
        assert len(warnings) == 1
        assert "per_call_series=False" in warnings[0]

    def test_the_other_metrics_are_all_there(self, multiprocess):
        """Every other metric is exported with its labels, ``pid`` aside."""
        _, _, samples = multiprocess
        labels = {}
        for name, found in samples:
            keys = {key for key, _ in found} - {"le", "pid"}
            labels.setdefault(name, set()).add(frozenset(keys))
        suffix = {"counter": "_total", "histogram": "_count", "summary": "_count", "gauge": ""}
        for name, (kind, expected) in METRICS.items():
            if "call_id" not in expected:
                assert labels.get(name + suffix[kind]) == {frozenset(expected)}, name

    def test_they_count_over_the_processes(self, multiprocess):
        """The aggregate has the calls of every process, each turn once."""
        _, _, samples = multiprocess
        group = {"provider": "deepgram", "pipeline": "default"}
        assert value(samples, "ai_agent_call_scores_count", **group) == 3
        assert value(samples, "ai_agent_call_turn_response_seconds_count", **group) == 1201
        assert value(samples, "ai_agent_calls_started_total", provider="deepgram") == 5
        assert value(samples, "ai_agent_quality_series_retained") == 0

    def test_no_warning_where_they_were_not_asked_for(self, tmp_path):
        """With ``per_call_series=False`` there is nothing to warn of."""
        script = """
            import structlog, sys
            structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stdout))
            import ai_engine_quality as aeq
            from prometheus_client import CollectorRegistry
            aeq.QualityMonitor(registry=CollectorRegistry(), per_call_series=False)
        """
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", textwrap.dedent(script)],
            env={"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert (done.returncode, done.stdout) == (0, ""), done.stderr


class TestRoomForSharedFiles:
    """A full tmpfs ends a process by SIGBUS: it is looked at before anything is written there."""

    def free(self, monkeypatch, tmp_path, megabytes):
        monkeypatch.setenv(shared_files.VARIABLE, str(tmp_path))
        blocks = SimpleNamespace(f_bavail=megabytes * 256, f_frsize=4096)
        monkeypatch.setattr(os, "statvfs", lambda _folder: blocks)

    @pytest.mark.parametrize("megabytes", [0, 7])
    def test_where_there_is_none_the_monitor_is_refused(self, monkeypatch, tmp_path, megabytes):
        """The engine runs on without it; the error names the folder, what is left and the fix."""
        self.free(monkeypatch, tmp_path, megabytes)
        registry = CollectorRegistry()
        with pytest.raises(ValueError, match=rf"{tmp_path}.* has {megabytes}\.0 MB left.*remount"):
            aeq.QualityMonitor(registry=registry)
        assert list(registry.collect()) == []

    @pytest.mark.parametrize(("megabytes", "text"), [(8, "8.0 MB"), (63, "63.0 MB"), (64, None)])
    def test_where_there_is_little_it_is_warned_of(self, monkeypatch, tmp_path, megabytes, text):
        """From 64 MB on nothing is said."""
        self.free(monkeypatch, tmp_path, megabytes)
        found = shared_files.check_room()
        assert (found is None) if text is None else text in found

    def test_the_warning_is_logged(self, tmp_path):
        """Once, at set-up, with the fix; in a process of its own, as the mode is for good."""
        script = """
            import os, sys, types, structlog
            structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stdout))
            os.statvfs = lambda folder: types.SimpleNamespace(f_bavail=2560, f_frsize=4096)
            import ai_engine_quality as aeq
            from prometheus_client import CollectorRegistry
            aeq.QualityMonitor(registry=CollectorRegistry(), per_call_series=False)
        """
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script)],
            env={shared_files.VARIABLE: str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        (line,) = [line for line in done.stdout.splitlines() if "quality_little_room" in line]
        assert "10.0 MB left" in line
        assert "remount" in line

    def test_other_ways_have_nothing_to_look_at(self, monkeypatch, tmp_path):
        """One process alone, or a folder that isn't there: that is prometheus-client's to say."""
        monkeypatch.delenv(shared_files.VARIABLE, raising=False)
        assert shared_files.check_room() is None
        monkeypatch.setenv(shared_files.VARIABLE, str(tmp_path / "none"))
        assert shared_files.check_room() is None


class TestSilentCalls:
    @pytest.fixture(autouse=True)
    def patient(self, monkeypatch):
        """Let a scrape look at every call, however slow the machine is."""
        monkeypatch.setattr(live_calls, "RESCORE_SECONDS", 60.0)

    def silent(self, registry):
        samples = scrape(registry)
        return [value(samples, "ai_agent_calls_silent", longer_than=name) for name in ("5m", "1h")]

    def test_a_call_of_which_nothing_is_observed_is_counted(self, quality, registry, clock):
        """After 5 minutes and after an hour without an observation; one that is observed isn't."""
        quality.call_started("leaked")
        quality.call_started("talking")
        assert self.silent(registry) == [0, 0]
        for minutes, silent in ((4.9, [0, 0]), (0.2, [1, 0]), (54.0, [1, 0]), (1.0, [1, 1])):
            clock.advance(minutes * 60.0)
            quality.turn_response("talking", 0.4)
            assert self.silent(registry) == silent

    def test_each_kind_of_observation_ends_the_silence(self, quality, registry, clock):
        """A level, a frame count, a turn or a barge-in: whatever comes, the call isn't silent."""
        observations = (
            lambda: quality.audio_level("call", "transport_in", rms=8),
            lambda: quality.frames_sent("call", 50),
            lambda: quality.turn_response("call", 0.4),
            lambda: quality.barge_in("call"),
        )
        quality.call_started("call")
        for observe in observations:
            scrape(registry)
            clock.advance(600.0)
            assert self.silent(registry) == [1, 0]
            observe()
            assert self.silent(registry) == [0, 0]

    def test_an_end_takes_it_out(self, quality, registry, clock):
        """Ended late, or expired, a silent call is counted no more."""
        for call_id in ("ended", "expired"):
            quality.call_started(call_id)
        scrape(registry)
        clock.advance(3_700.0)
        assert self.silent(registry) == [2, 2]
        quality.call_ended("ended")
        assert self.silent(registry) == [1, 1]
        clock.advance(4 * 3_600.0)
        assert self.silent(registry) == [0, 0]
