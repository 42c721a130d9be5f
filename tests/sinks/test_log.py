"""The log: one event per call, content-free, and never a flood nor a failure of the engine."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap

import pytest
from structlog.testing import capture_logs
from written import PatientLogger, everything_written

import ai_engine_quality as aeq

FIELDS = {
    "call_id",
    "score",
    "band",
    "unscored_reason",
    "provider",
    "pipeline",
    "outcome",
    "duration",
    "turns",
    "coverage",
    "policy",
    "explanation",
}
"""What ``call_quality_scored`` carries, ``event`` and the logger's own additions aside."""

SECRETS = ["+4915112345678", "15112345678", "Jane Doe", "Please transfer me to my doctor"]


class Broken:
    """A logger that always raises, as one on a full disk does."""

    def __init__(self):
        self._asked = 0

    @property
    def asked(self):
        everything_written()
        return self._asked

    def info(self, event, **fields):
        self._asked += 1
        raise OSError(28, "No space left on device", event, fields)

    warning = info


@pytest.fixture
def logger():
    """Return a logger that keeps what it is told."""
    return PatientLogger()


@pytest.fixture
def logging_quality(registry, clock, logger):
    """Return a monitor that logs each call."""
    monitor = aeq.QualityMonitor(registry=registry, clock=clock, logger=logger)
    yield monitor
    monitor.close()


def events(logger, name):
    return [call.kwargs for call in logger.calls if call.args == (name,)]


def have_call(quality, call_id="1761532874.2245", *, turn=2.6, **ended):
    quality.call_started(call_id, provider="OpenAI Realtime", pipeline="default")
    quality.turn_response(call_id, turn)
    quality.frames_sent(call_id, 500)
    quality.underflow(call_id, 10, episodes=2)
    return quality.call_ended(call_id, **{"outcome": "completed", "duration": 60.0, **ended})


class TestTheEvent:
    def test_a_scored_call_is_one_event(self, logging_quality, logger):
        """Each call is one ``call_quality_scored`` with the documented fields, at level info."""
        score = have_call(logging_quality)
        assert [(call.method_name, call.args) for call in logger.calls] == [
            ("info", ("call_quality_scored",))
        ]
        (fields,) = events(logger, "call_quality_scored")
        assert fields == {
            "call_id": "1761532874.2245",
            "score": score.score,
            "band": score.band.value,
            "unscored_reason": None,
            "provider": "openai_realtime",
            "pipeline": "default",
            "outcome": "completed",
            "duration": 60.0,
            "turns": 1,
            "coverage": score.coverage,
            "policy": "v3",
            "explanation": score.explain(),
        }
        assert fields.keys() == FIELDS

    def test_an_unscored_call_says_why(self, logging_quality, logger):
        """A call without a score is an event as well, with the reason in the score's place."""
        logging_quality.call_started("call")
        logging_quality.call_ended("call", duration=1.0)
        (fields,) = events(logger, "call_quality_scored")
        assert (fields["score"], fields["band"]) == (None, None)
        assert fields["unscored_reason"] == "abandoned"
        assert "abandoned" in fields["explanation"]
        assert fields.keys() == FIELDS

    @pytest.mark.parametrize("failed", [False, True])
    def test_every_value_is_plain_json(self, logging_quality, logger, failed):
        """A JSON renderer needs no help: values are text, numbers, true, false or null."""
        have_call(logging_quality, "scored", failed=failed)
        logging_quality.call_started("unscored")
        logging_quality.call_ended("unscored")
        for fields in events(logger, "call_quality_scored"):
            assert json.loads(json.dumps(fields, allow_nan=False)) == fields
            assert {type(value) for value in fields.values()} <= {str, int, float, type(None)}

    def test_the_explanation_is_one_line(self, logging_quality, logger):
        """The explanation fits a log's line."""
        have_call(logging_quality)
        (fields,) = events(logger, "call_quality_scored")
        assert fields["explanation"]
        assert "\n" not in fields["explanation"]

    def test_structlog_is_used_as_the_engine_configured_it(self, registry):
        """Without a logger of its own, events go through structlog's configuration."""
        monitor = aeq.QualityMonitor(registry=registry)
        with capture_logs() as logs:
            have_call(monitor)
            monitor.flush()
        monitor.close()
        assert [(entry["event"], entry["log_level"]) for entry in logs] == [
            ("call_quality_scored", "info")
        ]

    def test_log_false_logs_no_call(self, registry, logger):
        """``log=False`` is silence about calls, and warnings go on."""
        monitor = aeq.QualityMonitor(registry=registry, logger=logger, log=False)
        have_call(monitor)
        monitor.turn_response("unknown", 0.4)
        monitor.close()
        assert [call.args for call in logger.calls] == [("quality_observation_dropped",)]


A_CALL = """
    import ai_engine_quality as aeq
    from prometheus_client import CollectorRegistry
    quality = aeq.QualityMonitor(registry=CollectorRegistry())
    def a_call(call_id):
        quality.call_started(call_id, provider="deepgram", pipeline="default")
        quality.turn_response(call_id, 0.5)
        quality.call_ended(call_id, outcome="completed", duration=60.0)
        quality.turn_response(call_id, 0.5)
        quality.flush()
"""


class TestWhereItGoes:
    """In processes of their own: structlog's configuration is one for each process."""

    def run(self, script, **options):
        code = textwrap.dedent(A_CALL) + textwrap.dedent(script)
        return subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
            **options,
        )

    def test_by_itself_it_is_stderr(self):
        """Where nobody configured structlog, stdout is the program's own, and so is structlog."""
        done = self.run("""
            import structlog
            before = structlog.get_config()
            a_call("1.1")
            print("result", structlog.is_configured(), structlog.get_config() == before)
        """)
        assert done.stdout == "result False True\n"
        (event,) = [line for line in done.stderr.splitlines() if "call_quality_scored" in line]
        assert "[info" in event
        assert "call_id=1.1" in event
        assert "\x1b" not in done.stderr, "no colours where it isn't a terminal"
        assert "quality_observation_dropped" in done.stderr

    def test_from_the_moment_that_structlog_is_configured_it_is_there(self):
        """Also where that comes after the monitor; what is bound to the context is in the event."""
        done = self.run("""
            import structlog, sys
            a_call("1.1")
            structlog.configure(
                processors=[structlog.processors.JSONRenderer()],
                logger_factory=structlog.PrintLoggerFactory(sys.stdout),
            )
            a_call("1.2")
        """)
        assert "call_id=1.1" in done.stderr
        assert "1.2" not in done.stderr
        told = [json.loads(line) for line in done.stdout.splitlines()]
        assert [each["event"] for each in told][:1] == ["call_quality_scored"]
        assert told[0]["call_id"] == "1.2"

    def test_it_can_be_routed_by_its_name_through_logging(self):
        """With structlog on the standard library's logging, the logger is ``ai_engine_quality``."""
        done = self.run("""
            import logging, structlog, sys
            structlog.configure(
                processors=[structlog.stdlib.render_to_log_kwargs],
                logger_factory=structlog.stdlib.LoggerFactory(),
                wrapper_class=structlog.stdlib.BoundLogger,
            )
            handler = logging.StreamHandler(sys.stdout)
            handler.setFormatter(logging.Formatter("%(name)s %(message)s"))
            logging.getLogger("ai_engine_quality").addHandler(handler)
            logging.getLogger("ai_engine_quality").setLevel("INFO")
            a_call("1.1")
        """)
        assert done.stdout.splitlines()[0] == "ai_engine_quality call_quality_scored"
        assert done.stderr == ""

    @pytest.mark.parametrize("without", ["sys.stderr = None", "sys.stderr.close()"])
    def test_without_a_stderr_calls_are_scored_all_the_same(self, without):
        """A service may have none: nobody is told, nothing fails, nothing counts as lost."""
        done = self.run(f"""
            import sys
            {without}
            a_call("1.1")
            print(quality.flush())
        """)
        assert done.stdout == "True\n"


class TestPrivacy:
    @pytest.fixture
    def everything_told(self, registry, tmp_path, logger):
        """Return a maker of a call that reports texts; it returns all that was told of it."""

        def told(*, outcome, **texts):
            path = tmp_path / "records.jsonl"
            monitor = aeq.QualityMonitor(registry=registry, logger=logger, records=path)
            monitor.call_started("call", provider="deepgram", pipeline="default")
            monitor.turn_response("call", 0.4)
            for report, text in texts.items():
                getattr(monitor, report)("call", **text)
            score = monitor.call_ended("call", outcome=outcome, duration=60.0)
            metrics = repr([family.samples for family in registry.collect()])
            monitor.close()
            log = repr([call.kwargs for call in logger.calls])
            return [log, metrics, path.read_text(), score.explain(full=True)]

        return told

    @pytest.mark.parametrize("secret", SECRETS)
    def test_words_of_the_caller_are_kept_nowhere(self, everything_told, secret):
        """A caller's number, name or words, in whatever is reported, come out nowhere."""
        told = everything_told(
            outcome="completed",
            fallback={"reason": f"caller said: {secret}"},
            codec_alignment={"aligned": False, "detail": secret},
            audio_level={"stage": f"stage of {secret}", "rms": 900},
            turn_response={"seconds": secret},
            barge_in={"reaction": secret},
        )
        assert [text for text in told if secret.lower() in text.lower()] == []

    @pytest.mark.parametrize("outcome", ["transferred to +4915112345678", "hangup-15112345678"])
    def test_an_outcome_holds_no_telephone_number(self, everything_told, outcome):
        """The number that a call was transferred to is no outcome, and is kept nowhere."""
        assert [text for text in everything_told(outcome=outcome) if "15112345678" in text] == []


class TestWarnings:
    def test_a_reason_is_told_once_a_minute(self, logging_quality, logger, clock):
        """A reason has one warning a minute, which says how many there were since the last one."""
        for _ in range(1_000):
            logging_quality.turn_response("unknown", 0.4)
        clock.advance(59.9)
        logging_quality.turn_response("unknown", 0.4)
        assert [w["subject"] for w in events(logger, "quality_observation_dropped")] == [
            "unknown_call"
        ]
        clock.advance(0.1)
        logging_quality.turn_response("unknown", 0.4)
        logging_quality.turn_response("unknown", 0.4)
        warnings = events(logger, "quality_observation_dropped")
        assert [w["since_last_warning"] for w in warnings] == [1, 1_001]

    def test_each_reason_has_its_own_minute(self, logging_quality, logger):
        """A flood for one reason doesn't hide another reason."""
        logging_quality.call_started("call")
        for wrong in (-1.0, float("nan"), "text", 301.0) * 5:
            logging_quality.turn_response("call", wrong)
        subjects = [w["subject"] for w in events(logger, "quality_observation_dropped")]
        assert subjects == ["negative", "not_finite", "wrong_type", "out_of_range"]

    def test_a_failing_hook_is_told_with_its_name_and_traceback(self, logging_quality, logger):
        """The warning names the hook and carries the exception, once a minute."""

        @logging_quality.on_call_end
        def page_someone(score):
            raise KeyError(score.call_id)

        for number in range(3):
            have_call(logging_quality, f"call-{number}")
        (warning,) = events(logger, "quality_hook_failed")
        assert "page_someone" in warning["subject"]
        assert warning["traceback"].startswith("Traceback (most recent call last)")
        assert "KeyError" in warning["traceback"]

    def test_warnings_are_at_level_warning(self, logging_quality, logger):
        """What the library tells of its own troubles is a warning, not an error of the engine."""
        logging_quality.turn_response("unknown", 0.4)
        assert {call.method_name for call in logger.calls} == {"warning"}

    def test_strangers_cannot_flood_it(self, logging_quality, logger):
        """Thousands of unknown or impossible ids are a warning for each reason."""
        for number in range(2_000):
            logging_quality.turn_response(f"unknown-{number}", 0.4)
            logging_quality.call_started(f"call\n{number}")
        subjects = [w["subject"] for w in events(logger, "quality_observation_dropped")]
        assert subjects == ["unknown_call", "bad_call_id"]
        assert len(logger.calls) == 2


class TestABrokenLogger:
    @pytest.fixture
    def broken(self):
        """Return a logger that always raises."""
        return Broken()

    @pytest.fixture
    def monitor(self, registry, clock, broken):
        """Return a monitor that logs to a broken logger."""
        monitor = aeq.QualityMonitor(registry=registry, clock=clock, logger=broken)
        yield monitor
        monitor.close()

    def test_it_does_not_reach_the_engine(self, monitor, broken):
        """The call is scored, and later hooks run, though neither event nor warning gets out."""
        seen = []
        monitor.add_hook(seen.append)
        score = have_call(monitor)
        assert score.score is not None
        assert seen == [score]
        assert broken.asked > 0

    def test_it_is_counted(self, monitor, registry):
        """The counter of hook failures tells what the log can't."""
        have_call(monitor)
        monitor.flush()
        failures = [
            (sample.labels["hook"], sample.value)
            for family in registry.collect()
            for sample in family.samples
            if sample.name == "ai_agent_quality_hook_failures_total"
        ]
        assert [(("Log" in name), count) for name, count in failures] == [(True, 1)]

    def test_drops_are_counted_all_the_same(self, monitor, dropped):
        """A warning that can't be written doesn't stop the counting, nor the engine."""
        for _ in range(3):
            monitor.turn_response("unknown", 0.4)
        assert dropped("unknown_call") == 3

    def test_it_is_never_given_up(self, monitor, registry, broken):
        """The log is tried again with each call: it may be well again."""
        for number in range(20):
            have_call(monitor, f"call-{number}")
        before = broken.asked
        have_call(monitor, "one more")
        assert broken.asked > before
        assert (
            registry.get_sample_value(
                "ai_agent_call_scores_count", {"provider": "openai_realtime", "pipeline": "default"}
            )
            == 21
        )
