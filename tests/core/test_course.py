"""When what happened within a call: true in time, bounded, and kept where there is room for it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from ai_engine_lab.timelines.calls import generate
from ai_engine_lab.timelines.conditions import CLEAN
from ai_engine_lab.timelines.judging import listen
from hypothesis import example, given
from hypothesis import strategies as st

import ai_engine_quality as aeq
from ai_engine_quality.core.course import (
    KINDS,
    MAX_FAULTS,
    MAX_SPOKEN,
    MIN_HOLE_SECONDS,
    SPOKEN,
    Course,
    Kind,
)
from ai_engine_quality.core.ear import Ear
from ai_engine_quality.core.reading import SummaryError
from ai_engine_quality.history.records import MAX_RECORD_BYTES, read_records, to_line

SECONDS = st.floats(0, 1e4)
NOTES = st.lists(st.tuples(st.sampled_from(list(Kind)), SECONDS, SECONDS), max_size=400)


def lengths(heard, kind):
    times = heard.course.get(kind, ())
    return [end - start for start, end in zip(times[::2], times[1::2], strict=True)]


def spoken(level, at):
    """Return a level that varies as that of speech does."""
    return level * (0.4, 1.0, 1.6, 0.8)[round(at / 0.06) % 4]


class TestBounds:
    @given(notes=NOTES)
    @example(notes=[(Kind.CALLER, 2.0, 3.0), (Kind.CALLER, 0.0, 1.0)])
    def test_whatever_is_noted_it_is_bounded_and_no_stretch_is_backwards(self, notes):
        """At most 120 stretches of speech and waiting and 40 others, each from early to late."""
        course = Course()
        for kind, since, until in notes:
            course.note(kind, since, until)
        found = course.freeze(0.0)
        counts = {name: len(times) / 2 for name, times in found.items()}
        speech = {kind.name.lower() for kind in SPOKEN}
        assert sum(n for name, n in counts.items() if name in speech) <= MAX_SPOKEN
        assert sum(n for name, n in counts.items() if name not in speech) <= MAX_FAULTS
        assert found.keys() <= set(KINDS)
        assert all(times and min(times) >= 0 for times in course.freeze(5e3).values())
        for times in found.values():
            assert all(a <= b for a, b in zip(times[::2], times[1::2], strict=True))

    def test_a_pause_of_the_callers_is_no_end(self):
        """Words with less than 0.7 s between them are one stretch; after more they are another."""
        course = Course()
        for since, until in ((1.0, 1.5), (2.0, 2.4), (3.2, 3.5)):
            course.note(Kind.CALLER, since, until)
        assert course.freeze(0.0) == {"caller": (1.0, 2.4, 3.2, 3.5)}

    def test_a_hole_that_no_line_could_show_takes_no_room(self):
        """Hundreds of holes under 0.1 s leave room for the one of a second."""
        course = Course()
        for number in range(300):
            course.note(Kind.HOLE, number, number + 0.06)
        course.note(Kind.HOLE, 400.0, 401.0)
        assert course.freeze(0.0) == {"hole": (400.0, 401.0)}

    def test_faults_are_kept_when_there_is_no_room_for_speech(self):
        """A call of an hour has its hole at the end, though its speech ends earlier."""
        course = Course()
        for turn in range(500):
            course.note(Kind.AGENT, 10.0 * turn, 10.0 * turn + 5)
        course.note(Kind.HOLE, 4_999.0, 4_999.5)
        found = course.freeze(0.0)
        assert len(found["agent"]) == 2 * MAX_SPOKEN
        assert found["hole"] == (4_999.0, 4_999.5)


class TestWhatWasHeard:
    @pytest.mark.no_cover
    @pytest.mark.parametrize("seed", range(710_000, 710_006))
    def test_it_is_the_same_as_the_numbers(self, seed):
        """Each wait, unanswered turn, reaction and hole that is counted has its place.

        All places lie within the call and in order.
        """
        call = generate(CLEAN, seed)
        heard = listen(call)
        for kind, values in (
            ("wait", heard.latencies.exact),
            ("unanswered", heard.unanswered.exact),
            ("barge_in", heard.reactions.exact),
        ):
            assert sorted(lengths(heard, kind)) == pytest.approx(sorted(values), abs=0.051), kind
        placed = lengths(heard, "hole")
        left_out = heard.holes - len(placed)
        assert 0 <= heard.hole_seconds - sum(placed) + 0.5 <= MIN_HOLE_SECONDS * left_out + 1.0
        assert sum(lengths(heard, "agent")) == pytest.approx(heard.agent_voice, abs=0.3)
        assert sum(lengths(heard, "caller")) >= heard.caller_voice - 0.3
        for kind, times in heard.course.items():
            assert list(times) == sorted(times), kind
            assert times[-1] <= call.ended_at - call.started_at + 0.051, kind

    def test_it_is_true_in_time(self):
        """A scripted call: the greeting, the words, the wait and the answer are where they were."""
        ear = Ear(100.0)
        for frame in range(round(14 / 0.02)):
            at = frame * 0.02
            says = spoken(1_500, at) if 4 <= at < 6 else 5.0
            agent = spoken(2_000, at) if 0.5 <= at < 3 or 8 <= at < 12 else 0.0
            ear.caller(100 + at + 0.02, says, 0.02)
            ear.agent(100 + at + 0.02, agent, 0.02)
        found = ear.freeze(114.0).course
        assert found["agent"] == pytest.approx((0.5, 3.0, 8.0, 12.0), abs=0.1)
        assert found["caller"] == pytest.approx((4.0, 6.0), abs=0.1)
        assert found["wait"] == pytest.approx((6.0, 8.0), abs=0.1)
        assert found.keys() == {"agent", "caller", "wait"}

    def test_what_can_not_be_heard_has_no_place(self):
        """Without the caller's track there are no waits and no words, only the agent's speech."""
        ear = Ear(0.0)
        for frame in range(400):
            at = frame * 0.02
            ear.agent(at, spoken(2_000, at) if at >= 1 else 0.0, 0.02)
        assert ear.freeze(8.0).course.keys() == {"agent"}

    def test_to_look_changes_nothing(self):
        """A call that was looked at on its way has the course of one that wasn't."""
        call = generate(CLEAN, 710_001)
        ends = []
        for looked_at in (False, True):
            ear = Ear(call.started_at)
            for what, at, *values in call.observations[:2_000]:
                if what in ("caller", "agent"):
                    getattr(ear, what)(at, *values)
                    if looked_at and not round(at * 50) % 100:
                        ear.freeze(at)
            ends.append(ear.freeze(call.started_at + 40).course)
        assert ends[0] == ends[1] != {}


class TestRecords:
    @pytest.fixture
    def score(self):
        heard = aeq.HeardCall(
            factors=("latency",), course={"agent": (0.5, 3.0), "wait": (6.0, 8.05), "hole": ()}
        )
        summary = aeq.CallSummary(call_id="1.1", turn_latencies=(2.01,) * 5, heard=heard)
        return aeq.score(replace(summary, duration=60.0, frames_sent=900, underflows=0))

    def test_it_is_stored_and_read(self, score, tmp_path):
        """A record holds it by kind, in steps from edge to edge; it is read as it was."""
        path = tmp_path / "calls.jsonl"
        path.write_bytes(to_line(score))
        assert json.loads(path.read_text())["summary"]["heard"]["course"]["wait"] == [120, 41]
        (again,) = read_records(path)
        found = again.summary.heard.stretches()
        assert [stretch.kind for stretch in found] == ["agent", "wait"]
        assert (found[1].start, round(found[1].seconds, 2)) == (6.0, 2.05)

    def test_a_record_without_it_is_read(self, score):
        """As those of earlier versions are: nothing happened at a known time."""
        data = score.summary.to_dict()
        del data["heard"]["course"]
        assert aeq.CallSummary.from_dict(data).heard.stretches() == ()

    @pytest.mark.parametrize(
        "course",
        [{"agent": [100]}, {"agent": [200, -100]}, {"agent": [-100, 150]}, {"dog": [1, 2]}],
    )
    def test_nonsense_is_refused(self, score, course):
        """An end without its start, an end before it, a time before the call, an unknown kind."""
        data = score.summary.to_dict()
        data["heard"]["course"] = course
        with pytest.raises(SummaryError):
            aeq.CallSummary.from_dict(data)

    def test_where_there_is_no_room_it_goes_first(self, score):
        """A call of many values keeps them; its timeline goes, and its score is the same."""
        times = tuple(15.0 * n for n in range(2 * MAX_SPOKEN))
        turns = tuple(round(0.5 + 0.001 * n + 1e-9, 9) for n in range(512))
        heard = replace(score.summary.heard, course={"agent": times})
        long = aeq.score(replace(score.summary, turn_latencies=turns, turn_count=512, heard=heard))
        line = to_line(long)
        steps = json.dumps(
            long.summary.to_dict()["heard"]["course"]["agent"], separators=(",", ":")
        )
        assert len(line) <= MAX_RECORD_BYTES < len(line) + len(steps)
        summary = json.loads(line)["summary"]
        assert "course" not in summary["heard"]
        assert tuple(summary["turn_latencies"]) == turns
        assert json.loads(line)["score"]["score"] == long.score
