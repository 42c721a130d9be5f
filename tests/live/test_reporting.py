"""What the library tells of itself: each trouble is counted, and warned of in a way to act on."""

from __future__ import annotations

import pytest

from ai_engine_quality.core.observations import DropReason, Rejected
from ai_engine_quality.live.fixes import FIXES, SLOW_HOOK_FIX
from ai_engine_quality.live.reporting import Reporter


class Told:
    """Keeps what it is told, as the counters and as the log."""

    def __init__(self):
        self.counted, self.warned = [], []

    def dropped(self, reason, count=1):
        self.counted.append((reason, count))

    def hook_failed(self, hook):
        self.counted.append(hook)

    def warn(self, event, subject, error=None, **fields):
        self.warned.append((event, subject, error, fields))


ERROR = OSError("full")


@pytest.fixture
def told():
    return Told()


@pytest.fixture
def reporter(told):
    return Reporter(told, told)


class TestReporter:
    def test_what_was_dropped_without_words(self, reporter, told):
        """Its reason is counted once, and is the warning's subject, with what to do about it."""
        reporter.drop(DropReason.NEGATIVE, ERROR)
        assert told.counted == [(DropReason.NEGATIVE, 1)]
        fields = {"fix": "a number under 0: subtract times of one monotonic clock"}
        assert told.warned == [("quality_observation_dropped", "negative", ERROR, fields)]

    @pytest.mark.parametrize("reason", [DropReason.UNKNOWN_CALL, DropReason.CALL_ENDED])
    def test_a_call_that_is_gone_is_one_subject(self, reporter, told, reason):
        """Late audio, turns and frames of one call are one warning, which has the first of them."""
        for words in ("audio() of call 1.1 dropped", "turn_response() of call 1.1 dropped"):
            reporter.drop(reason, words=words)
        assert {subject for _, subject, _, _ in told.warned} == {reason.value}

    def test_every_reason_has_a_fix(self):
        """No reason is told without what it means and what to do."""
        assert set(FIXES) == set(DropReason)

    def test_what_was_dropped_with_words(self, reporter, told):
        """The sentence is in the warning, and its method in the subject."""
        words = "underflow(-3) of call a(b) dropped"  # an id may have brackets too
        reporter.drop(DropReason.NEGATIVE, words=words)
        fields = {"warning": words, "fix": FIXES[DropReason.NEGATIVE]}
        subject = "negative underflow"
        assert told.warned == [("quality_observation_dropped", subject, None, fields)]

    def test_a_broken_counter_is_not_told_of(self, told):
        """Nothing is left to tell it with: it ends there."""
        broken = Reporter(None, told)
        assert broken.drop(DropReason.NEGATIVE) is None
        assert told.warned == []

    def test_what_is_unusual(self, reporter, told):
        """A question is warned of, and nothing counted."""
        reporter.ask("turn", "are these milliseconds?")
        fields = {"warning": "are these milliseconds?"}
        assert told.warned == [("quality_unit_unusual", "turn", None, fields)]
        assert told.counted == []

    def test_a_value_is_checked(self, reporter, told):
        """None is nothing and isn't checked; what is refused is dropped by its reason."""

        def refuse(_):
            raise Rejected(DropReason.WRONG_TYPE)

        given = ("call_ended", "failed")
        assert reporter.checked(refuse, None, *given) is None
        assert told.counted == []
        assert reporter.checked(str.upper, "a", *given) == "A"
        assert reporter.checked(refuse, 0, *given) is None
        assert told.counted == [(DropReason.WRONG_TYPE, 1)]
        assert told.warned[0][3]["warning"] == "call_ended(failed=0): this argument was dropped"

    @pytest.mark.parametrize(
        ("error", "event"), [(ERROR, "quality_hook_failed"), (None, "quality_hook_slow")]
    )
    def test_a_hook(self, reporter, told, error, event):
        """One that raised is told with what it raised, one that was slow as slow."""
        reporter.hook_failed("mine.hook", error)
        fields = {} if error else {"fix": SLOW_HOOK_FIX}
        assert (told.counted, told.warned) == (["mine.hook"], [(event, "mine.hook", error, fields)])

    def test_the_log(self, reporter, told):
        """Lines for which there is no room are counted alone; a logger that raises is told of."""
        reporter.log_lost("log", None)
        assert (told.counted, told.warned) == ([(DropReason.LOG_NOT_WRITTEN, 1)], [])
        reporter.log_lost("log", ERROR)
        assert told.counted[1:] == [(DropReason.LOG_NOT_WRITTEN, 1), "log"]
        assert told.warned == [("quality_hook_failed", "log", ERROR, {})]

    def test_live_calls_that_were_lost(self, reporter, told):
        """As many are counted as were lost, and the warning says how many."""
        reporter.calls_lost(7)
        assert told.counted == [(DropReason.NOT_ENDED_IN_TIME, 7)]
        assert told.warned == [
            (
                "quality_calls_lost",
                "interrupted",
                None,
                {"calls": 7, "fix": FIXES[DropReason.NOT_ENDED_IN_TIME]},
            )
        ]

    @pytest.mark.parametrize(("error", "subject"), [(ERROR, "OSError"), (None, "no_room")])
    def test_records_that_were_lost(self, reporter, told, error, subject):
        """As many are counted as were lost; what stopped them is the warning's subject."""
        reporter.record_lost(3, error)
        assert told.counted == [(DropReason.RECORD_NOT_WRITTEN, 3)]
        fields = {"fix": FIXES[DropReason.RECORD_NOT_WRITTEN]}
        assert told.warned == [("quality_record_not_written", subject, error, fields)]

    def test_an_outcome(self, reporter, told):
        """The warning has the word, the usual ones and the fix."""
        reporter.outcome_unknown("compleeted")
        ((event, subject, error, fields),) = told.warned
        assert (event, subject, error) == ("quality_outcome_unknown", "compleeted", None)
        assert fields["fix"].startswith("counted as it is, as a call that did not fail; usual are ")
        assert "completed, failed, expired, interrupted" in fields["fix"]
        assert fields["fix"].endswith("; pass failed=True")
