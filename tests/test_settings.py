"""Settings: a file and variables, where every mistake is told with its place and its fix."""

from __future__ import annotations

import tomllib
from functools import partial
from random import Random

import pytest
from prometheus_client import CollectorRegistry

import ai_engine_quality as aeq
from ai_engine_quality import settings as settings_module

FULL = """
per_call_series = false
log = false
max_live_calls = 300
expire_after = 7200
level_every = 2
noise_every = 5

[policy]
base = "v1"
version = "ours-1"
percentile = 90

[policy.knees]
latency = [[0.4, 0], [1, 12], [4, 30]]

[policy.ceilings]
call_failed = 10

[records]
path = "/var/lib/engine/records.jsonl"
max_bytes = 1_000_000
files = 3

[costs.deepgram]
per_minute = 0.0043
currency = "USD"

[costs."OpenAI Realtime"]
per_minute = 1
currency = "EUR"

[retention]
max_seconds = 300.5
max_calls = 100
"""

VARIABLES = {
    "AI_ENGINE_QUALITY_PER_CALL_SERIES": ("false", lambda s: s.per_call_series, False),
    "AI_ENGINE_QUALITY_LOG": ("false", lambda s: s.log, False),
    "AI_ENGINE_QUALITY_MAX_LIVE_CALLS": ("7", lambda s: s.max_live_calls, 7),
    "AI_ENGINE_QUALITY_EXPIRE_AFTER": ("90.5", lambda s: s.expire_after, 90.5),
    "AI_ENGINE_QUALITY_LEVEL_EVERY": ("3", lambda s: s.level_every, 3),
    "AI_ENGINE_QUALITY_NOISE_EVERY": ("11", lambda s: s.noise_every, 11),
    "AI_ENGINE_QUALITY_POLICY": ("v1", lambda s: s.policy.version, "v1"),
    "AI_ENGINE_QUALITY_RECORDS_PATH": ("calls.jsonl", lambda s: s.records.path, "calls.jsonl"),
    "AI_ENGINE_QUALITY_RECORDS_MAX_BYTES": ("9000", lambda s: s.records.max_bytes, 9_000),
    "AI_ENGINE_QUALITY_RECORDS_FILES": ("2", lambda s: s.records.files, 2),
    "AI_ENGINE_QUALITY_RECORDS_CERTAINTY": ("true", lambda s: s.records.certainty, True),
    "AI_ENGINE_QUALITY_RETENTION_MAX_SECONDS": ("800", lambda s: s.retention.max_seconds, 800),
    "AI_ENGINE_QUALITY_RETENTION_MAX_CALLS": ("77", lambda s: s.retention.max_calls, 77),
}
"""Each variable, a value for it, where that goes, and what it is there."""

NEEDS_A_PATH = {
    "AI_ENGINE_QUALITY_RECORDS_MAX_BYTES",
    "AI_ENGINE_QUALITY_RECORDS_FILES",
    "AI_ENGINE_QUALITY_RECORDS_CERTAINTY",
}


@pytest.fixture
def toml(tmp_path):
    """Return a function that writes a settings file and returns its path."""

    def write(text):
        path = tmp_path / "quality.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


class Remembering:
    """A logger that keeps the events it is told."""

    def __init__(self):
        self.told = []

    def info(self, event, **_fields):
        self.told.append(event)

    warning = info


def load(path=None, **environ):
    return aeq.load_settings(path, environ)


class TestTheFile:
    def test_a_full_file_is_read(self, toml):
        """Every key of a full file is in the settings; what it doesn't name is the default."""
        settings = load(toml(FULL))
        assert (settings.per_call_series, settings.log) == (False, False)
        assert (settings.max_live_calls, settings.expire_after) == (300, 7_200)
        assert (settings.level_every, settings.noise_every) == (2, 5)
        assert settings.policy.version == "ours-1"
        assert settings.policy.percentile == 90
        assert settings.policy.knees.latency == ((0.4, 0), (1, 12), (4, 30))
        assert settings.policy.ceilings.call_failed == 10
        assert settings.policy.knees.underflow == aeq.Policy.load("v1").knees.underflow
        assert settings.records.path == "/var/lib/engine/records.jsonl"
        assert (settings.records.max_bytes, settings.records.files) == (1_000_000, 3)
        assert settings.costs == {
            "deepgram": aeq.CallCost(0.0043, "USD"),
            "openai_realtime": aeq.CallCost(1, "EUR"),
        }
        assert settings.retention == aeq.Retention(300.5, 100)

    def test_no_file_means_the_defaults(self, toml):
        """Without a file, and with an empty one, the settings are the monitor's own defaults."""
        assert load() == load(toml("")) == aeq.Settings()
        assert aeq.Settings().policy is aeq.DEFAULT_POLICY

    def test_the_config_variable_names_the_file(self, toml):
        """``AI_ENGINE_QUALITY_CONFIG`` names the file where none is given; a given one wins."""
        path = toml("max_live_calls = 5")
        assert load(AI_ENGINE_QUALITY_CONFIG=str(path)).max_live_calls == 5
        other = path.with_name("other.toml")
        other.write_text("max_live_calls = 6")
        assert load(other, AI_ENGINE_QUALITY_CONFIG=str(path)).max_live_calls == 6

    def test_the_process_environment_is_the_default(self, toml, monkeypatch):
        """Without an argument the variables are those of the process."""
        path = toml("max_live_calls = 5")
        monkeypatch.setenv("AI_ENGINE_QUALITY_CONFIG", str(path))
        monkeypatch.setenv("AI_ENGINE_QUALITY_EXPIRE_AFTER", "60")
        settings = aeq.load_settings()
        assert (settings.max_live_calls, settings.expire_after) == (5, 60)

    def test_a_policy_names_its_base_only(self, toml):
        """A policy's version alone is the one that ships."""
        assert load(toml('[policy]\nbase = "v1"')).policy == aeq.Policy.load("v1")

    def test_a_changed_policy_has_another_version(self, toml):
        """A changed policy without a version of its own gets one that tells what it is."""
        text = "[policy.ceilings]\ncall_failed = {}"
        versions = {load(toml(text.format(top))).policy.version for top in (10, 10, 11)}
        assert len(versions) == 2
        assert "v1" not in versions


MISTAKES = {
    "unknown key": ("max_calls = 5", "max_calls", "max_live_calls"),
    "unknown table": ("[retentions]\nmax_calls = 5", "retentions", "retention"),
    "unknown key in records": ('[records]\npath = "x"\nsize = 5', "records.size", "max_bytes"),
    "unknown key in retention": ("[retention]\ncalls = 5", "retention.calls", "max_calls"),
    "unknown key in costs": (
        '[costs.a]\nper_minute = 1\ncurrency = "USD"\nrate = 5', "costs.a.rate", "per_minute"
    ),
    "unknown key in policy": ("[policy]\nweight = 5", "weight", "weights"),
    "unknown factor in knees": (
        "[policy.knees]\nlatencies = [[0, 0], [1, 30]]", "latencies", "latency"
    ),
    "unknown policy": ('[policy]\nbase = "v99"', "v99", "v1"),
    "flag as text": ('log = "yes"', "log", "true or false"),
    "flag as number": ("per_call_series = 1", "per_call_series", "true or false"),
    "number as text": ('max_live_calls = "5"', "max_live_calls", "whole number"),
    "number as flag": ("max_live_calls = true", "max_live_calls", "whole number"),
    "fraction of a call": ("max_live_calls = 5.5", "max_live_calls", "whole number"),
    "no calls": ("max_live_calls = 0", "max_live_calls", "over 0"),
    "fewer than no calls": ("max_live_calls = -1", "max_live_calls", "over 0"),
    "no time": ("expire_after = 0", "expire_after", "over 0"),
    "negative time": ("expire_after = -5", "expire_after", "0"),
    "endless time": ("expire_after = inf", "expire_after", "number"),
    "no number": ("expire_after = nan", "expire_after", "number"),
    "time as a date": ("expire_after = 2025-10-01", "expire_after", "number"),
    "time as a table": ("[expire_after]\nhours = 4", "expire_after", "number"),
    "sampling of nothing": ("level_every = 0", "level_every", "over 0"),
    "records as text": ('records = "records.jsonl"', "records", "table"),
    "records without a path": ("[records]\nfiles = 3", "records.path", "missing"),
    "path misspelt": ('[records]\npth = "x"', "records.pth", "choose one of path"),
    "empty path": ('[records]\npath = ""', "records.path", "text"),
    "path with a control character": ('[records]\npath = "a\\u0000b"', "records.path", "text"),
    "path of a folder": ('[records]\npath = "records/"', "records.path", "'records/calls.jsonl'"),
    "path as number": ("[records]\npath = 5", "records.path", "text"),
    "too small a file": ('[records]\npath = "x"\nmax_bytes = 10', "records.max_bytes", "8000"),
    "no file": ('[records]\npath = "x"\nfiles = 0', "records.files", "over 0"),
    "cost as number": ("[costs]\ndeepgram = 0.1", "costs.deepgram", "table"),
    "costs as number": ("costs = 0.1", "costs", "table"),
    "cost without currency": (
        "[costs.deepgram]\nper_minute = 0.1", "costs.deepgram.currency", "missing"
    ),
    "cost without rate": (
        '[costs.deepgram]\ncurrency = "USD"', "costs.deepgram.per_minute", "missing"
    ),
    "negative rate": (
        '[costs.a]\nper_minute = -1\ncurrency = "USD"', "costs.a.per_minute", "0 or more"
    ),
    "currency as a sign": (
        '[costs.a]\nper_minute = 1\ncurrency = "$"', "costs.a.currency", "USD"
    ),
    "currency in small letters": (
        '[costs.a]\nper_minute = 1\ncurrency = "usd"', "costs.a.currency", "USD"
    ),
    "provider without a name": (
        '[costs."?!"]\nper_minute = 1\ncurrency = "USD"', "costs.?!", "name"
    ),
    "one provider twice": (
        (
            '[costs]\na-b = {per_minute = 1, currency = "USD"}\n'
            '"A B" = {per_minute = 2, currency = "USD"}'
        ),
        "A B", "a_b",
    ),
    "retention as number": ("retention = 500", "retention", "table"),
    "a retention of no time": ("[retention]\nmax_seconds = 0", "retention.max_seconds", "over 0"),
    "a retention by collections": (
        "[retention]\nmin_collections = 3", "retention.min_collections", "leave it out"
    ),
    "a least time of a retention": (
        "[retention]\nmin_seconds = 60", "retention.min_seconds", "max_seconds"
    ),
    "more seconds than there are": (
        "[retention]\nmax_seconds = 1e16", "retention.max_seconds", "at most 1e+15"
    ),
    "no samples": ("[retention]\nmax_calls = 0", "retention.max_calls", "over 0"),
    "policy as text": ('policy = "v1"', "policy", "write policy.base = 'v1'"),
    "a policy's own file": ('version = "v4"\npercentile = 90', "version", "policy.base"),
    "a part of the policy beside it": (
        "[ceilings]\nlatency = [[1, 89]]", "ceilings", "write it as policy.ceilings"
    ),
    "knees out of order": (
        "[policy.knees]\nlatency = [[1, 0], [0.5, 30]]", "knees.latency", "sort"
    ),
    "points that fall": (
        "[policy.knees]\nlatency = [[0.5, 0], [1, 40], [2, 30]]", "knees.latency", "sort"
    ),
    "knees that are none": ("[policy.knees]\nlatency = 5", "knees.latency", "pairs"),
    "half a knee": ("[policy.knees]\nlatency = [[0.5], [1, 30]]", "knees.latency", "pairs"),
    "knees that cost at once": (
        "[policy.knees]\nlatency = [[0.5, 5], [1, 30]]", "knees.latency", "0 points"
    ),
    "knees beyond the weight": (
        "[policy.knees]\nlatency = [[0.5, 0], [1, 31]]", "knees.latency", "weights.latency"
    ),
    "weights that don't sum to 100": ("[policy.weights]\nlatency = 20", "weights", "100"),
    "weight as text": ('[policy.weights]\nlatency = "30"', "weights.latency", "number"),
    "ceiling over 100": ("[policy.ceilings]\ncall_failed = 101", "ceilings.call_failed", "100"),
    "ceilings that rise": (
        "[policy.ceilings]\nlatency = [[1, 59], [2, 89]]", "ceilings.latency", "sort"
    ),
    "percentile over 100": ("[policy]\npercentile = 101", "percentile", "100"),
    "bands out of order": ("[policy.bands]\ngood = 95", "bands", "fall"),
    "a shipped version, changed": (
        '[policy]\nversion = "v1"\npercentile = 90', "version", "another name"
    ),
    "a shipped version, not named as base": (
        '[policy]\nversion = "v1"', "policy.version", "write policy.base"
    ),
    "an infinite knee": (
        "[policy.knees]\nlatency = [[0.5, 0], [inf, 30]]", "knees.latency", "number"
    ),
}  # fmt: skip  # a table: its rows are read side by side
"""Each mistake: the file, what its message must name, and what the fix must mention."""


class TestMistakes:
    @pytest.mark.parametrize(("text", "key", "fix"), MISTAKES.values(), ids=MISTAKES)
    def test_a_mistake_names_file_key_and_fix(self, toml, text, key, fix):
        """Each kind of mistake is a SettingsError of one line with the file, the key, the fix."""
        path = toml(text)
        with pytest.raises(aeq.SettingsError) as caught:
            load(path)
        message = str(caught.value)
        assert str(path) in message
        assert key in message
        assert fix in message
        assert "\n" not in message

    @pytest.mark.parametrize(
        ("content", "fix"),
        [
            (b"log = ", "TOML"),
            (b"log = false\nlog = true", "TOML"),
            (b"[records\npath = 5", "TOML"),
            (b"{}", "TOML"),
            (b"\xff\xfel\x00", "UTF-8"),
            ('path = "ärger"'.encode("latin-1"), "UTF-8"),
            (b"a = " + b"[" * 5_000, "TOML"),
            (b"# " + b"x" * 1_000_001, "1000000"),
        ],
        ids=lambda value: repr(value)[:20],
    )
    def test_a_file_that_is_no_toml_is_told(self, toml, content, fix):
        """What isn't TOML in UTF-8, or far too long, is told with the file's name."""
        path = toml(content)
        with pytest.raises(aeq.SettingsError) as caught:
            load(path)
        assert str(path) in str(caught.value)
        assert fix in str(caught.value)

    def test_a_missing_file_is_told(self, tmp_path):
        """A file that isn't there is an error, whoever named it: never the defaults, silently."""
        path = tmp_path / "nowhere.toml"
        for read in (lambda: load(path), lambda: load(AI_ENGINE_QUALITY_CONFIG=str(path))):
            with pytest.raises(aeq.SettingsError, match=r"nowhere\.toml.*No such file"):
                read()

    def test_a_folder_is_no_file(self, tmp_path):
        """A folder in the file's place is told."""
        with pytest.raises(aeq.SettingsError, match="directory"):
            load(tmp_path)

    def test_a_name_that_no_file_can_have_is_told(self):
        """A path that the system refuses outright is a SettingsError as well."""
        with pytest.raises(aeq.SettingsError, match="path"):
            load("quality\0.toml")

    def test_a_settings_error_is_a_value_error(self):
        """Whoever catches ValueError catches these mistakes too."""
        assert issubclass(aeq.SettingsError, ValueError)


class TestVariables:
    def test_these_are_all_the_variables(self):
        """Every variable that there is, is tested here; CONFIG, which names the file, aside."""
        assert settings_module.VARIABLES.keys() == VARIABLES.keys()

    @pytest.mark.parametrize("variable", VARIABLES)
    def test_a_variable_sets_its_key(self, variable):
        """Each variable alone sets what it names."""
        value, read, expected = VARIABLES[variable]
        environ = {variable: value}
        if variable in NEEDS_A_PATH:
            environ["AI_ENGINE_QUALITY_RECORDS_PATH"] = "records.jsonl"
        assert read(load(**environ)) == expected

    @pytest.mark.parametrize("variable", VARIABLES)
    def test_a_variable_goes_over_the_file(self, toml, variable):
        """A variable wins over the file, which keeps all else."""
        value, read, expected = VARIABLES[variable]
        text = FULL.replace('version = "ours-1"\npercentile = 90\n', "")
        settings = load(toml(text), **{variable: value})
        if variable != "AI_ENGINE_QUALITY_POLICY":  # it names the base; the file's changes stay
            assert read(settings) == expected
        plain = load(toml(text))
        others = [other for other in VARIABLES if other != variable]
        assert [VARIABLES[o][1](settings) for o in others] == [
            VARIABLES[o][1](plain) for o in others
        ]
        assert settings.costs == plain.costs

    def test_a_policy_variable_keeps_the_files_changes(self, toml):
        """The policy variable names the base, under the changes that the file makes to it."""
        policy = load(toml("[policy.ceilings]\ncall_failed = 7"), AI_ENGINE_QUALITY_POLICY="v1")
        assert policy.policy.ceilings.call_failed == 7

    @pytest.mark.parametrize("text", ["true", "True", "TRUE", " true "])
    def test_a_flag_may_be_spelled_as_shells_do(self, text):
        """True and false may have capitals and spaces around."""
        assert load(AI_ENGINE_QUALITY_LOG=text).log is True
        assert load(AI_ENGINE_QUALITY_LOG=text.lower().replace("true", "FALSE")).log is False

    @pytest.mark.parametrize(
        ("variable", "value"),
        [
            ("AI_ENGINE_QUALITY_LOG", "yes"),
            ("AI_ENGINE_QUALITY_LOG", "1"),
            ("AI_ENGINE_QUALITY_LOG", ""),
            ("AI_ENGINE_QUALITY_MAX_LIVE_CALLS", "many"),
            ("AI_ENGINE_QUALITY_MAX_LIVE_CALLS", "5.5"),
            ("AI_ENGINE_QUALITY_MAX_LIVE_CALLS", "5\nlog = false"),
            ("AI_ENGINE_QUALITY_EXPIRE_AFTER", "0"),
            ("AI_ENGINE_QUALITY_EXPIRE_AFTER", "4h"),
            ("AI_ENGINE_QUALITY_LEVEL_EVERY", "-4"),
            ("AI_ENGINE_QUALITY_RECORDS_PATH", ""),
            ("AI_ENGINE_QUALITY_RECORDS_MAX_BYTES", "64MB"),
            ("AI_ENGINE_QUALITY_RECORDS_MAX_BYTES", "64"),
            ("AI_ENGINE_QUALITY_RECORDS_FILES", "0"),
            ("AI_ENGINE_QUALITY_RETENTION_MAX_CALLS", "[1]"),
            ("AI_ENGINE_QUALITY_RETENTION_MAX_SECONDS", "nan"),
            ("AI_ENGINE_QUALITY_POLICY", "v99"),
        ],
    )
    def test_a_wrong_value_names_its_variable(self, toml, variable, value):
        """A value that can't be used is told with the variable's name, which is where it stands."""
        with pytest.raises(aeq.SettingsError) as caught:
            load(toml('[records]\npath = "records.jsonl"'), **{variable: value})
        assert variable in str(caught.value)

    @pytest.mark.parametrize(
        "variable",
        [
            "AI_ENGINE_QUALITY_MAX_CALLS",
            "AI_ENGINE_QUALITY_RECORD_PATH",
            "AI_ENGINE_QUALITY_",
            "AI_ENGINE_QUALITY_log",
        ],
    )
    def test_an_unknown_variable_is_an_error(self, variable):
        """A misspelled variable is told, with the ones that there are."""
        with pytest.raises(aeq.SettingsError) as caught:
            load(**{variable: "5"})
        assert variable in str(caught.value)
        assert "AI_ENGINE_QUALITY_MAX_LIVE_CALLS" in str(caught.value)

    @pytest.mark.parametrize("key", ["MIN_COLLECTIONS", "MIN_SECONDS"])
    def test_a_variable_that_has_gone_says_so(self, key):
        """A variable of the retention by collections is told, with what to do about it."""
        variable = f"AI_ENGINE_QUALITY_RETENTION_{key}"
        with pytest.raises(aeq.SettingsError, match=rf"{variable}.*max_seconds.*; unset it$"):
            load(**{variable: "3"})

    def test_other_variables_are_nobodys_business(self):
        """Variables of other programs are not read."""
        assert load(PATH="/bin", AI_ENGINE="x", AI_ENGINE_QUALITY="x", LOG="yes") == aeq.Settings()

    def test_a_variable_under_a_value_of_another_kind_is_told(self, toml):
        """Where the file has no table, a variable into that table doesn't hide the mistake."""
        with pytest.raises(aeq.SettingsError, match="retention"):
            load(toml("retention = 5"), AI_ENGINE_QUALITY_RETENTION_MAX_CALLS="7")

    def test_a_path_that_looks_like_a_number_is_a_path(self):
        """A path is text, whatever it looks like, with its capitals."""
        for path in ("5", "true", "Records.JSONL"):
            assert load(AI_ENGINE_QUALITY_RECORDS_PATH=path).records.path == path


class TestTheMonitorUsesThem:
    @pytest.fixture
    def monitor(self, toml, registry, clock):
        """Return a maker of monitors by a settings file."""
        made = []

        def make(text, **overrides):
            settings = aeq.load_settings(toml(text), {})
            options = {"registry": registry, "clock": clock, "logger": Remembering(), **overrides}
            monitor = aeq.QualityMonitor.from_settings(settings, **options)
            made.append(monitor)
            return monitor

        yield make
        for monitor in made:
            monitor.close()

    @staticmethod
    def have_call(monitor, call_id, *, turn=0.5, provider="deepgram", **ended):
        monitor.call_started(call_id, provider=provider, pipeline="default")
        monitor.turn_response(call_id, turn)
        monitor.frames_sent(call_id, 500)
        monitor.underflow(call_id, 0)
        return monitor.call_ended(call_id, **{"duration": 60.0, **ended})

    @staticmethod
    def shown(registry):
        """Return the call ids that a scrape shows now."""
        return [
            sample.labels["call_id"]
            for family in registry.collect()
            for sample in family.samples
            if sample.name == "ai_agent_call_quality_score"
        ]

    def test_the_policy_scores(self, monitor):
        """The file's policy decides the score and names itself on it."""
        quality = monitor('[policy]\nversion = "ours"\n[policy.knees]\nlatency = [[0, 0], [1, 30]]')
        score = self.have_call(quality, "call", turn=0.5)
        assert (score.score, score.policy_version) == (85, "ours")

    def test_records_are_written_rotated_and_bounded(self, monitor, tmp_path):
        """The file's records path, size and number of files are what happens on the disk."""
        path = tmp_path / "sub" / "records.jsonl"
        quality = monitor(f'[records]\npath = "{path}"\nmax_bytes = 8000\nfiles = 2')
        for number in range(30):
            self.have_call(quality, f"call-{number}")
        quality.close()
        assert sorted(found.name for found in path.parent.iterdir()) == [
            "records.jsonl",
            "records.jsonl.1",
        ]
        assert max(found.stat().st_size for found in path.parent.iterdir()) <= 8_000
        assert list(aeq.read_records(path))[-1].call_id == "call-29"

    def test_records_are_made_by_the_files_policy(self, monitor, tmp_path):
        """A call too long for one record is scored again by the same policy."""
        path = tmp_path / "records.jsonl"
        quality = monitor(
            f'[records]\npath = "{path}"\n[policy]\nversion = "ours"\n'
            "[policy.ceilings]\ncall_failed = 33"
        )
        quality.call_started("long")
        random = Random(1)  # noqa: S311
        for _ in range(600):
            quality.turn_response("long", random.uniform(0.1, 0.5))
        score = quality.call_ended("long", failed=True, duration=6_000.0)
        quality.close()
        (stored,) = aeq.read_records(path)
        assert (stored.score, stored.policy_version) == (score.score, "ours") == (33, "ours")

    def test_costs_are_counted(self, monitor, registry):
        """A provider's rate holds however file and engine spell its name."""
        quality = monitor('[costs."OpenAI Realtime"]\nper_minute = 0.5\ncurrency = "EUR"')
        self.have_call(quality, "call", provider="openai-realtime", duration=120.0)
        labels = {"provider": "openai_realtime", "currency": "EUR"}
        assert registry.get_sample_value("ai_agent_call_cost_total", labels) == 1.0

    def test_retention_holds(self, monitor, registry, clock):
        """Each number of the file's retention decides which samples are shown."""
        quality = monitor("[retention]\nmax_seconds = 20\nmax_calls = 2")
        for call_id in ("a", "b", "c"):
            self.have_call(quality, call_id)
        assert self.shown(registry) == ["b", "c"]
        clock.advance(19.9)
        assert self.shown(registry) == ["b", "c"]
        clock.advance(0.1)
        assert self.shown(registry) == []

    def test_per_call_series_are_off(self, monitor, registry):
        """``per_call_series = false`` shows no call."""
        self.have_call(monitor("per_call_series = false"), "call")
        assert self.shown(registry) == []

    @pytest.mark.parametrize(("text", "events"), [("log = true", 1), ("log = false", 0), ("", 1)])
    def test_the_log_is_on_or_off(self, monitor, text, events):
        """``log`` decides whether a call is an event."""
        logger = Remembering()
        quality = monitor(text, logger=logger)
        self.have_call(quality, "call")
        assert quality.flush()
        assert logger.told == ["call_quality_scored"] * events

    def test_live_calls_are_bounded(self, monitor, dropped):
        """At ``max_live_calls`` the next call is refused and counted."""
        quality = monitor("max_live_calls = 2")
        for call_id in ("a", "b", "c"):
            quality.call_started(call_id)
        assert dropped("too_many_calls") == 1
        assert [quality.call(call_id).live for call_id in ("a", "b", "c")] == [True, True, False]

    def test_calls_expire(self, monitor, registry, clock, dropped):
        """A call that never ends expires after ``expire_after`` seconds."""
        quality = monitor("expire_after = 100")
        quality.call_started("call")
        clock.advance(99.9)
        assert registry.get_sample_value("ai_agent_calls_active") == 1
        clock.advance(0.1)
        assert registry.get_sample_value("ai_agent_calls_active") == 0
        assert dropped("expired_call") == 1

    def test_sampling_is_as_told(self, monitor):
        """``level_every`` and ``noise_every`` decide how many frames are measured."""
        frame = bytes(Random(1).randrange(256) for _ in range(320))  # noqa: S311
        measured = {}
        for name, text in (("told", "level_every = 2\nnoise_every = 5"), ("default", "")):
            quality = monitor(text, registry=CollectorRegistry())
            quality.call_started("call")
            for _ in range(100):
                quality.audio("call", "provider_out", frame, encoding="slin16", sample_rate=8000)
            measured[name] = quality.call_ended("call").summary.audio["provider_out"]
        assert (measured["told"].frames, measured["default"].frames) == (50, 100)
        assert measured["told"].flatness is not None  # 20 frames were checked for noise
        assert measured["default"].flatness is None  # 10 were

    def test_an_argument_goes_over_the_settings(self, monitor, registry):
        """What the program passes itself wins over the file."""
        self.have_call(monitor("per_call_series = false", per_call_series=True), "call")
        assert self.shown(registry) == ["call"]

    def test_a_folder_for_the_record_file_is_a_wrong_setting(self, monitor, tmp_path):
        """As all others: an error of the settings, which names the fix."""
        with pytest.raises(aeq.SettingsError, match=r"is a folder; write .*calls\.jsonl"):
            monitor(f'[records]\npath = "{tmp_path}"')

    def test_every_setting_has_its_argument(self):
        """Each setting becomes an argument of the monitor; two of them together, the sampling."""
        fields = set(aeq.Settings.__dataclass_fields__)
        arguments = set(aeq.Settings().monitor_arguments())
        assert arguments == fields - {"level_every", "noise_every"} | {"sampling"}


ONE_RULE = {
    "retention.max_seconds": ("[retention]\nmax_seconds = {}", "max_seconds", aeq.Retention),
    "retention.max_calls": ("[retention]\nmax_calls = {}", "max_calls", aeq.Retention),
    "level_every": ("level_every = {}", "level_every", aeq.Sampling),
    "noise_every": ("noise_every = {}", "noise_every", aeq.Sampling),
    "costs.a.per_minute": (
        '[costs.a]\nper_minute = {}\ncurrency = "USD"',
        "per_minute",
        lambda **rate: aeq.CallCost(**rate, currency="USD"),
    ),
    "max_live_calls": ("max_live_calls = {}", "max_live_calls", aeq.Settings),
    "expire_after": ("expire_after = {}", "expire_after", aeq.Settings),
    "records.files": ('[records]\npath = "x"\nfiles = {}', "files", partial(aeq.RecordFile, "x")),
    "records.max_bytes": (
        '[records]\npath = "x"\nmax_bytes = {}', "max_bytes", partial(aeq.RecordFile, "x")
    ),
}  # fmt: skip  # a table: its rows are read side by side
"""Each number of the settings: a file with it, and the same number as an argument of the API."""


def refusal(kind, read):
    """Return what an error says of a value, from its name on; None where it is taken."""
    try:
        read()
    except kind as error:
        return str(error)
    return None


class TestOneRule:
    @pytest.mark.parametrize("key", ONE_RULE)
    @pytest.mark.parametrize("value", ["0", "-1", "1", "7.5", "9000", "1e13", "1e16", "inf", "nan"])
    def test_file_and_api_take_and_refuse_the_same(self, toml, key, value):
        """What the API takes, the file takes; both refuse the rest, in the same words."""
        text, name, make = ONE_RULE[key]
        path = toml(text.format(value))
        by_file = refusal(aeq.SettingsError, lambda: load(path))
        argument = tomllib.loads(f"value = {value}")["value"]
        by_api = refusal(ValueError, lambda: make(**{name: argument}))
        assert (by_file is None) == (by_api is None)
        if by_file is not None:
            assert by_file.startswith(f"{path}: {key} must be ")
            assert by_file.partition(" must be ")[2] == by_api.partition(" must be ")[2]

    def test_the_reason_is_the_true_one(self, toml):
        """A number that is too large is told to be too large, not to be less than 0."""
        with pytest.raises(aeq.SettingsError, match=r"must be a finite number, at most 1e\+15"):
            load(toml("expire_after = 1e16"))
        assert load(toml("expire_after = 1e13")).expire_after == 1e13

    def test_two_spellings_of_a_provider_are_one_everywhere(self, registry):
        """A provider's cost given twice, or for no name, is refused by the API as by the file."""
        rate = aeq.CallCost(1, "USD")
        for costs, words in (({"a-b": rate, "A B": rate}, "a_b"), ({"?!": rate}, "name")):
            with pytest.raises(ValueError, match=words):
                aeq.QualityMonitor(registry=registry, log=False, costs=costs)
        assert list(registry.collect()) == []
