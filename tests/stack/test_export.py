"""``export-rules`` and ``export-dashboards``: for a Prometheus and a Grafana of one's own."""

from __future__ import annotations

import json
import re
import subprocess

import pytest
import yaml
from rule_files import FILES, MONITORING, ROOT
from services import program

from ai_engine_quality.cli import cli
from ai_engine_quality.stack.exporting import THRESHOLDS, Deployment, ExportError, exported_rules
from ai_engine_quality.stack.files import dashboards, metrics_read, rule_files, rule_names
from ai_engine_quality.stack.kubernetes import Cluster

OTHER = {
    "quality_objective": 0.8,
    "HighTurnResponseLatency": 1.5,
    "CriticalTurnResponseLatency": 8,
    "HighUnderflowRate": 0.11,
    "CallsFailing": 0.33,
    "ProviderRegression": 17,
    "VADConfidenceLow": 0.43,
    "SeriesLimitNear": 8_000,
}
"""A value for each threshold that is nowhere by default."""


def rules_of(text):
    return [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]


def checked(*files):
    done = subprocess.run(
        [program("promtool"), "check", "rules", *map(str, files)],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


class TestTheFiles:
    def test_they_are_those_of_the_project(self):
        """What is exported and what ``doctor`` expects is in monitoring/ and grafana/."""
        assert rule_files() == {name: (MONITORING / name).read_text() for name in FILES}
        assert dashboards() == ROOT / "grafana" / "dashboards"

    def test_each_rule_is_found_in_its_text(self):
        """The names that are read from a file's text are those that YAML has, repeated ones too."""
        for text in rule_files().values():
            kinds = [
                ("alert", rule["alert"]) if "alert" in rule else ("record", rule["record"])
                for rule in rules_of(text)
            ]
            assert rule_names(text) == kinds

    def test_the_metrics_that_are_read_are_known(self):
        """Among them are the engine's, the library's and the recording rules' own."""
        assert {
            "ai_agent_calls_scored_total",
            "ai_agent_stream_underflow_events_total",
            "job_instance:ai_engine:target",
        } <= metrics_read()


class TestRules:
    def test_without_parameters_they_are_as_they_were(self):
        """An export for the usual deployment changes nothing."""
        for text in rule_files().values():
            assert exported_rules(text, Deployment()) == text

    @pytest.mark.system("prometheus")
    def test_promtool_accepts_every_parameter_at_once(self, run, tmp_path):
        """With another job, addresses and all thresholds the files are valid, none is missing."""
        options = [f"--threshold={name}={value}" for name, value in OTHER.items()]
        done = run(
            *("export-rules", tmp_path, "--job", "voice.prod", "--job", "ns/voice", *options),
            *("--runbook", "https://wiki.example.org/Runbook.md"),
            *("--grafana", "https://grafana.example.org/"),
        )
        assert done.exit_code == 0, done.output
        code, said = checked(*(tmp_path / name for name in FILES))
        assert code == 0, said
        exported = [(tmp_path / name).read_text() for name in FILES]
        before = [name for text in rule_files().values() for name in rule_names(text)]
        assert [name for text in exported for name in rule_names(text)] == before

    def test_the_job_stands_in_the_one_rule_that_knows_it(self):
        """The job's name is matched, a dot of which is no wildcard; no other rule changes."""
        of = Deployment(jobs=("voice.prod", "ns/voice"))
        (first, *others) = rules_of(exported_rules(rule_files()["rules/ai-engine.yml"], of))
        assert 'up{job=~"voice[.]prod|ns/voice"}' in first["expr"]
        assert others == rules_of(rule_files()["rules/ai-engine.yml"])[1:]

    def test_every_link_can_be_clicked(self):
        """Runbook and dashboard of every alert have the addresses that were given."""
        of = Deployment(runbook="https://w.example.org/r", grafana="https://g.example.org")
        for rule in rules_of(exported_rules(rule_files()["alerts/ai-engine.yml"], of)):
            links = rule["annotations"]
            anchor = rule["alert"].lower()
            assert links["runbook_url"] == f"https://w.example.org/r#{anchor}"
            assert links["dashboard_url"].startswith("https://g.example.org/d/ai-engine-")

    @pytest.mark.parametrize("name", THRESHOLDS)
    def test_a_threshold_changes_its_own_rule_and_nothing_else(self, name):
        """The number stands in the rule of its name alone, and the usual one changes nothing."""
        usual, other = THRESHOLDS[name].usual, OTHER[name]
        changed = []
        for text in rule_files().values():
            assert exported_rules(text, Deployment(thresholds={name: usual})) == text or (
                name == "quality_objective"  # which is written 0.90
            )
            new = rules_of(exported_rules(text, Deployment(thresholds={name: other})))
            changed += [b for a, b in zip(rules_of(text), new, strict=True) if a != b]
        (rule,) = changed
        assert name in (rule.get("alert") or rule["record"])
        assert re.search(rf"\b{re.escape(f'{other:g}')}\b", rule["expr"])

    def test_slow_turns_are_counted_by_the_same_limit(self):
        """The bucket by which slow turns are counted is the threshold's, and so is the text."""
        of = Deployment(thresholds={"HighTurnResponseLatency": 1.5})
        rules = rules_of(exported_rules(rule_files()["alerts/ai-engine.yml"], of))
        (rule,) = [rule for rule in rules if rule["alert"] == "HighTurnResponseLatency"]
        assert 'le=~"1[.]5"' in rule["expr"]
        assert "Over 1.5 s" in rule["annotations"]["description"]

    @pytest.mark.parametrize(
        "wrong",
        [
            {"jobs": ('a"} or up{',)},
            {"jobs": ()},
            {"runbook": "docs/elsewhere.md"},
            {"runbook": "http://[::1"},
            {"grafana": "https://g.example.org/{{ evil }}"},
            {"thresholds": {"NoSuchAlert": 1}},
            {"thresholds": {"HighTurnResponseLatency": 2.2}},
            {"thresholds": {"CallsFailing": float("nan")}},
            {"thresholds": {"SeriesLimitNear": 0.5}},
        ],
    )
    def test_what_can_not_be_used_is_refused(self, wrong):
        """A wrong parameter is an error before anything is written."""
        with pytest.raises(ExportError):
            Deployment(**wrong)

    @pytest.mark.parametrize(
        "options",
        [
            ("--threshold", "CallsFailing"),
            ("--threshold", "CallsFailing=much"),
            ("--threshold", "Nothing=1"),
            ("--kubernetes", "--namespace", "Not A Name"),
        ],
    )
    def test_wrong_use_ends_with_an_error(self, run, tmp_path, options):
        """The command says what is wrong, and writes nothing."""
        done = run("export-rules", tmp_path / "out", *options)
        assert done.exit_code in (1, 2)
        assert "Traceback" not in done.output
        assert not (tmp_path / "out").exists()


class TestDashboards:
    def test_their_job_variable_finds_the_jobs(self, run, tmp_path):
        """Each dashboard is written, and its variable lists the jobs that were given."""
        assert run("export-dashboards", tmp_path, "--job", "voice").exit_code == 0
        files = sorted(path.name for path in tmp_path.iterdir())
        assert files == sorted(path.name for path in dashboards().glob("*.json"))
        for path in tmp_path.iterdir():
            (job,) = [
                variable
                for variable in json.loads(path.read_text())["templating"]["list"]
                if variable["name"] == "job"
            ]
            assert job["query"]["query"] == 'label_values(up{job=~"voice"}, job)'


@pytest.mark.parametrize("command", ["export-rules", "export-dashboards"])
def test_a_program_is_told_what_was_written(run, tmp_path, command):
    """With ``--json``: each file's path, and nothing else on standard output."""
    done = run(command, tmp_path / "out", "--json")
    written = json.loads(done.stdout)["written"]
    there = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert done.exit_code == 0
    assert sorted(written) == sorted(map(str, there)) != []


def test_every_command_has_json(run):
    """For programs: but ``run``, whose output is the engine's."""
    for name in cli.list_commands(None):
        assert ("--json" in run(name, "--help").output) == (name != "run"), name


class TestKubernetes:
    @pytest.mark.system("prometheus")
    def test_rules_are_the_same_rules(self, run, tmp_path):
        """The groups of the three objects are those of the files, and promtool accepts them."""
        assert run("export-rules", tmp_path, "--kubernetes", "--namespace", "voice").exit_code == 0
        groups = []
        for path in sorted(tmp_path.glob("*.yaml")):
            found = yaml.safe_load(path.read_text())
            assert found["metadata"]["namespace"] == "voice"
            if found["kind"] == "PrometheusRule":
                groups += found["spec"]["groups"]
        files = [
            group for text in rule_files().values() for group in yaml.safe_load(text)["groups"]
        ]
        assert sorted(groups, key=str) == sorted(files, key=str)
        (tmp_path / "all.yml").write_text(yaml.safe_dump({"groups": groups}))
        code, said = checked(tmp_path / "all.yml")
        assert code == 0, said

    def test_the_pods_are_scraped_under_the_job_that_the_rules_look_for(self, run, tmp_path):
        """The PodMonitor selects the engine's pods, sets the label job, and limits the samples."""
        options = ("--job", "voice", "--pod-label", "app=voice", "--scrape-interval", "5s")
        assert run("export-rules", tmp_path, "--kubernetes", *options).exit_code == 0
        spec = yaml.safe_load((tmp_path / "ai-engine-podmonitor.yaml").read_text())["spec"]
        (endpoint,) = spec["podMetricsEndpoints"]
        assert spec["selector"]["matchLabels"] == {"app": "voice"}
        assert endpoint["relabelings"] == [{"targetLabel": "job", "replacement": "voice"}]
        assert (endpoint["interval"], endpoint["scrapeTimeout"]) == ("5s", "5s")
        assert spec["sampleLimit"] == 50_000

    def test_dashboards_are_config_maps_that_grafana_finds(self, run, tmp_path):
        """Each has Grafana's label and the dashboard unchanged, small enough for one object."""
        options = ("--kubernetes", "--label", "team=voice")
        assert run("export-dashboards", tmp_path, *options).exit_code == 0
        originals = {
            path.stem: json.loads(path.read_text()) for path in dashboards().glob("*.json")
        }
        for path in tmp_path.iterdir():
            found = yaml.safe_load(path.read_text())
            assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
            assert found["metadata"]["labels"]["team"] == "voice"
            ((name, text),) = found["data"].items()
            dashboard = name.removeprefix("ai-engine-").removesuffix(".json")
            assert json.loads(text) == originals.pop(dashboard)
            assert len(path.read_bytes()) < 250_000, "kubectl apply keeps a copy in an annotation"
        assert not originals

    @pytest.mark.parametrize(
        "wrong",
        [
            {"namespace": "Voice"},
            {"labels": {"a b": "c"}},
            {"pods": {"app": "x y"}},
            {"port": "metrics\nx: y"},
            {"interval": "often"},
        ],
    )
    def test_what_is_no_name_is_refused(self, wrong):
        """Names, labels and intervals that a cluster would refuse are refused before."""
        with pytest.raises(ExportError):
            Cluster(**wrong)
