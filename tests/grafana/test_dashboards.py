"""The dashboards as files: generated, complete, consistent, and what alerts lead to."""

from __future__ import annotations

import re
import subprocess
from urllib.parse import parse_qs, urlparse

import pytest
import yaml
from ai_engine_dashboards.__main__ import current_files, files
from ai_engine_dashboards.colours import BANDS
from boards import CURRENT, DASHBOARDS, FOLDER, ROOT, panels, targets, without_zeros
from rule_files import alerts, rules
from services import program

from ai_engine_quality.core.policy import DEFAULT_POLICY, Band

UIDS = {f"ai-engine-{name}": name for name in DASHBOARDS}
NAMED = {
    "system-overview": {
        "Active calls": "gauge",
        "Call rate": "timeseries",
        "Provider distribution": "piechart",
        "Health": "stat",
        "Audio transport mode": "stat",
        "Quality now": "stat",
        "Alerts firing": "stat",
    },
    "call-quality": {
        "Turn response": "timeseries",
        "STT to TTS": "timeseries",
        "Barge-in reaction": "timeseries",
        "Underflow rate": "timeseries",
        "Underflow ratio": "timeseries",
        "Streaming fallbacks": "timeseries",
        "Jitter buffer depth": "heatmap",
        "Score over time": "timeseries",
        "Calls by band": "bargauge",
        "Points lost by factor": "bargauge",
        "Coverage": "stat",
        "Worst calls": "table",
        "Live calls by band": "bargauge",
    },
    "provider-performance": {
        "Deepgram sample rates": "timeseries",
        "Deepgram ACK latency": "timeseries",
        "Deepgram codec alignment": "state-timeline",
        "OpenAI Realtime rate alignment": "timeseries",
        "OpenAI Realtime: measured against expected": "timeseries",
        "Google Live audio": "timeseries",
        "Google Live sessions": "stat",
        "Grok rate alignment": "timeseries",
        "Providers side by side": "table",
        "Cost per call": "bargauge",
    },
    "audio-quality": {
        "RMS by stage": "timeseries",
        "DC offset": "timeseries",
        "Bytes tx/rx": "timeseries",
        "Codec alignment": "state-timeline",
        "VAD confidence distribution": "heatmap",
        "Noise found by the scorer": "stat",
        "Clipping found by the scorer": "stat",
    },
    "conversation-flow": {
        "Conversation state timeline": "state-timeline",
        "TTS gating": "timeseries",
        "Audio capture": "timeseries",
        "Barge-in events": "timeseries",
        "Configuration values: times": "table",
        "Configuration values: thresholds": "table",
    },
    "call-drill-down": {
        "Score": "gauge",
        "Band": "stat",
        "Turns": "stat",
        "Ended": "stat",
        "What cost the points": "bargauge",
        "Why?": "text",
    },
}
"""What the dashboards were asked to have, and as what kind of panel."""


@pytest.fixture(params=DASHBOARDS)
def dashboard(request):
    """Return each dashboard."""
    return DASHBOARDS[request.param]


ALL_PANELS = [
    pytest.param(panel, id=f"{name}/{panel['title']}")
    for name, dashboard in DASHBOARDS.items()
    for panel in panels(dashboard)
]


class TestFiles:
    def test_what_is_committed_is_what_the_code_makes(self):
        """Every file is there, none is left over, and each has the text that the code gives."""
        made = dict(files())
        assert {path.name for path in FOLDER.iterdir()} == set(made)
        for name, text in made.items():
            assert (FOLDER / name).read_text() == text, f"{name}: run make dashboards"

    def test_so_is_what_is_committed_in_the_current_schema(self):
        """The same of the files that Grafana 13 reads without a migration."""
        made = dict(current_files())
        folder = ROOT / "grafana" / "dashboards-v2"
        assert {path.name for path in folder.iterdir()} == set(made)
        for name, text in made.items():
            assert (folder / name).read_text() == text, f"{name}: run make dashboards"

    def test_uids_are_those_that_alerts_and_bookmarks_know(self):
        """Each uid is fixed, by the file's name."""
        assert {d["uid"]: name for name, d in DASHBOARDS.items()} == UIDS

    @pytest.mark.parametrize("name", NAMED)
    def test_every_panel_that_was_asked_for_is_there_by_its_name(self, name):
        """Each named panel stands on its dashboard once, as the kind it was asked for."""
        found = [(panel["title"], panel["type"]) for panel in panels(DASHBOARDS[name])]
        for title, kind in NAMED[name].items():
            assert found.count((title, kind)) == 1, title


class TestDashboard:
    def test_it_has_the_four_variables(self, dashboard):
        """Data source, job, instance and provider; the last three several at once, or all."""
        variables = {v["name"]: v for v in dashboard["templating"]["list"]}
        assert list(variables)[:4] == ["datasource", "job", "instance", "provider"]
        assert variables["datasource"]["type"] == "datasource"
        for name in ("job", "instance", "provider"):
            variable = variables[name]
            assert variable["multi"] is variable["includeAll"] is True
            assert variable["datasource"]["uid"] == "${datasource}"
            assert variable["refresh"] == 2
            assert variable["allValue"]

    def test_it_leads_to_the_others_with_time_and_variables(self, dashboard):
        """One link to all dashboards of the tag, which it has itself."""
        (link,) = dashboard["links"]
        assert link["type"] == "dashboards"
        assert link["keepTime"] is link["includeVars"] is True
        assert set(link["tags"]) <= set(dashboard["tags"])

    def test_it_marks_alerts_and_restarts(self, dashboard):
        """Two annotations, on, with a title, on the chosen data source."""
        found = dashboard["annotations"]["list"]
        assert [a["name"] for a in found] == ["Alerts firing", "Engine restarts"]
        for annotation in found:
            assert annotation["enable"] is True
            assert annotation["titleFormat"]
            assert annotation["datasource"]["uid"] == "${datasource}"

    def test_it_marks_no_alert_of_another_dashboard(self, dashboard):
        """Those that lead to it, one mark for each; where none does, the critical ones."""
        expr = dashboard["annotations"]["list"][0]["expr"]
        leading = {
            alert["alert"]
            for alert in alerts()
            if urlparse(alert["annotations"]["dashboard_url"]).path == f"/d/{dashboard['uid']}"
        } - {"Watchdog"}
        named = re.search(r'alertname=~"([^"]+)"', expr)
        assert set(named[1].split("|") if named else ()) == leading
        assert named or 'severity="critical"' in expr
        assert expr.startswith("max by (alertname, severity)")

    def test_it_cant_be_edited_and_says_what_it_is_for(self, dashboard):
        """Read-only, with a description, in the reader's own time zone, and refreshed."""
        assert dashboard["editable"] is False
        assert dashboard["description"]
        assert dashboard["timezone"] == "browser"
        assert dashboard["refresh"]

    def test_panel_ids_are_unique(self, dashboard):
        """No two panels or rows share a number."""
        rows = [panel for panel in dashboard["panels"] if panel["type"] == "row"]
        ids = [panel["id"] for panel in (*rows, *panels(dashboard))]
        assert len(set(ids)) == len(ids)

    def test_panel_titles_are_unique(self, dashboard):
        """So that a person and a test can name a panel."""
        titles = [panel["title"] for panel in panels(dashboard)]
        assert len(set(titles)) == len(titles)

    def test_no_two_panels_overlap_and_none_leaves_the_grid(self, dashboard):
        """Within 24 columns; cells belong to one panel each, in open and in collapsed rows."""
        for group in (dashboard["panels"], *(row.get("panels", ()) for row in dashboard["panels"])):
            cells = [
                (x, y)
                for panel in group
                for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
                for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
            ]
            assert len(set(cells)) == len(cells)
            assert all(x < 24 for x, _ in cells)

    def test_state_comes_first_and_details_are_collapsed(self, dashboard):
        """The first row is open; a collapsed one has its panels, and comes after the open ones."""
        rows = [panel for panel in dashboard["panels"] if panel["type"] == "row"]
        closed = [row["collapsed"] for row in rows]
        assert closed[0] is False
        assert closed == sorted(closed)
        assert all(row["panels"] for row in rows if row["collapsed"])


class TestPanel:
    @pytest.mark.parametrize("panel", ALL_PANELS)
    def test_it_says_what_it_shows_what_is_good_and_what_to_do(self, panel):
        """A title, and three parts of description."""
        assert panel["title"]
        shows, good, act = panel["description"].split("\n\n")
        assert shows
        assert good.startswith("**Good:** ")
        assert act.startswith("**Otherwise:** ")

    @pytest.mark.parametrize("panel", ALL_PANELS)
    def test_its_values_have_unit_thresholds_colour_and_words_for_nothing(self, panel):
        """Each is there, explicitly; only text has no values."""
        if panel["type"] == "text":
            return
        defaults = panel["fieldConfig"]["defaults"]
        assert defaults["unit"]
        assert defaults["thresholds"]["mode"] == "absolute"
        assert defaults["color"]["mode"]
        assert len(defaults["noValue"].split()) > 3

    @pytest.mark.parametrize("panel", ALL_PANELS)
    def test_a_time_is_in_seconds(self, panel):
        """As in scores and alerts; settings alone are in the unit of their names.

        Grafana's own units for times write 0.67 s as 670 ms beside 3.66 s, or 1500 ms as 1.5 s.
        """
        field = panel.get("fieldConfig", {"defaults": {}, "overrides": []})
        own = [o["value"] for each in field["overrides"] for o in each["properties"]]
        assert not {"s", "ms"} & {
            unit for unit in [field["defaults"].get("unit"), *own] if isinstance(unit, str)
        }
        if field["defaults"].get("unit") == "suffix:ms":
            assert all("_ms{" in target["expr"] for target in panel["targets"])

    @pytest.mark.parametrize("panel", ALL_PANELS)
    def test_its_queries_go_to_the_chosen_data_source(self, panel):
        """Panel and queries name the variable, never a data source; and there is a query."""
        if panel["type"] == "text":
            return
        assert panel["datasource"]["uid"] == "${datasource}"
        assert panel["targets"]
        for target in panel["targets"]:
            assert target["datasource"]["uid"] == "${datasource}"
        refs = [target["refId"] for target in panel["targets"]]
        assert len(set(refs)) == len(refs)

    def test_a_stack_has_areas_and_no_lines(self):
        """The line of a series that is 0 would lie on the one below, in the wrong colour."""
        stacks = [
            custom
            for dashboard in DASHBOARDS.values()
            for panel in panels(dashboard)
            if panel["type"] == "timeseries"
            and (custom := panel["fieldConfig"]["defaults"]["custom"])["stacking"]["mode"] != "none"
        ]
        assert stacks
        for custom in stacks:
            assert (custom["lineWidth"], custom["showPoints"]) == (0, "never")
            assert custom["fillOpacity"] >= 50

    def test_a_timeline_of_words_has_no_thresholds(self):
        """Grafana's legend would show these instead of the words."""
        timelines = [
            panel["fieldConfig"]["defaults"]
            for dashboard in DASHBOARDS.values()
            for panel in panels(dashboard)
            if panel["type"] == "state-timeline"
        ]
        named = [defaults for defaults in timelines if defaults.get("mappings")]
        assert named
        for defaults in named:
            assert len(defaults["thresholds"]["steps"]) == 1

    def test_scores_have_the_policys_bands_as_thresholds(self):
        """What shows a score changes its colour where the policy's bands do."""
        lowest = DEFAULT_POLICY.bands
        wanted = [(None, BANDS[Band.POOR])] + [
            (lowest[band], BANDS[band]) for band in (Band.FAIR, Band.GOOD, Band.EXCELLENT)
        ]
        titles = {"Mean score", "Score over time", "Score"}
        for name in DASHBOARDS:
            for panel in panels(DASHBOARDS[name]):
                if panel["title"] in titles:
                    steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
                    assert [(step["value"], step["color"]) for step in steps] == wanted

    def test_quality_now_can_hide_neither_a_poor_call_nor_a_poor_provider(self):
        """It counts poor calls, of all and of the worst provider, against the objective."""
        (now,) = [p for p in panels(DASHBOARDS["system-overview"]) if p["title"] == "Quality now"]
        everyone, worst = now["targets"]
        assert 'band="poor"' in everyone["expr"]
        assert worst["expr"].startswith("topk(1, sum by (provider)")
        assert "{{provider}}" in worst["legendFormat"]
        steps = {
            s["color"]: s["value"] for s in now["fieldConfig"]["defaults"]["thresholds"]["steps"]
        }
        (objective,) = [r for r in rules() if r.get("record") == "ai_agent:quality_objective:ratio"]
        assert steps[BANDS[Band.POOR]] == pytest.approx(1 - float(objective["expr"][7:-1]))

    def test_the_two_panels_of_bytes_dont_show_the_same(self):
        """One is about all calls together, the other about one connection."""
        found = {
            p["title"]: p
            for p in panels(DASHBOARDS["audio-quality"])
            if "bytes" in p["title"].lower()
        }
        assert set(found) == {"Bytes tx/rx", "AudioSocket bytes per connection"}
        for target in found["AudioSocket bytes per connection"]["targets"]:
            assert "ai_agent_audiosocket_active_connections" in target["expr"]

    def test_every_worst_call_leads_to_its_own_page(self):
        """The link names the drill-down, the row's call, the time range and every variable."""
        (worst,) = [p for p in panels(DASHBOARDS["call-quality"]) if p["title"] == "Worst calls"]
        (links,) = [
            p["value"]
            for override in worst["fieldConfig"]["overrides"]
            if override["matcher"]["options"] == "Call"
            for p in override["properties"]
            if p["id"] == "links"
        ]
        url = links[0]["url"]
        assert url.startswith("/d/ai-engine-call-drill-down?var-call_id=${__data.fields.Call:")
        assert "${__url_time_range}" in url
        for name in ("datasource", "job", "instance", "provider"):
            assert f"${{{name}:queryparam}}" in url

    def test_the_drill_down_gives_the_command_that_explains_the_call(self):
        """Its text has the command with the call that is chosen."""
        (why,) = [p for p in panels(DASHBOARDS["call-drill-down"]) if p["title"] == "Why?"]
        assert "ai-engine-quality explain ${call_id}" in why["options"]["content"]


class TestQuery:
    def test_it_can_be_narrowed_to_a_job_and_an_engine(self, target):
        """Each names the job; and the engine, where the rule behind it has one."""
        assert "$job" in target.expr
        if "job:ai_agent_quality_budget" not in target.expr and "Watchdog" not in target.expr:
            assert "$instance" in target.expr

    def test_rates_have_the_interval_of_the_panel(self, target):
        """rate() and its like over $__rate_interval or $__range; fixed windows stand for "now"."""
        fixed = re.findall(r"(?:rate|increase|delta)\([^\[]*\[(\d+\w+)", target.expr)
        assert set(fixed) <= {"15m"}, target.expr

    def test_no_rate_is_taken_of_a_gauge(self, target):
        """What rate() and increase() look at ends as counters and histograms do."""
        for name in re.findall(r"\b(?:rate|increase)\((\w+)", target.expr):
            assert name.endswith(("_total", "_bucket", "_count", "_sum")), name

    def test_quantiles_keep_the_buckets_apart(self, target):
        """Each quantile is taken of a sum by le, or of a rule that is one."""
        for inner in re.findall(r"histogram_quantile\([\d.]+, (.{20})", target.expr):
            assert re.match(r"sum by \(le\b", inner), inner

    def test_no_zero_stands_in_for_what_is_missing(self, target):
        """`or vector(0)` would call a dead engine idle."""
        assert "vector(0)" not in target.expr

    def test_ratios_need_traffic(self, target):
        """Whatever is divided by is kept over 0."""
        for divisor in re.findall(r"\n/[^\n]*\n?\s*(\(.*)", target.expr):
            assert "> 0" in divisor, target.expr

    def test_what_the_rules_record_is_what_panels_ask_for(self):
        """Each recorded name in a query is one that a rule makes."""
        recorded = {rule["record"] for rule in rules() if "record" in rule}
        asked = {name for t in targets() for name in re.findall(r"\b[a-z_]+:[a-z_]+:\w+", t.expr)}
        assert asked
        assert asked <= recorded

    @pytest.mark.system("prometheus")
    def test_promtool_can_read_every_query(self, tmp_path):
        """Prometheus' own parser accepts each with its variables filled in."""
        found = program("promtool")
        texts = [
            t.expanded(age=3_600, job=".+", instance=".+", provider=".+", call_id="1.2")
            for t in targets()
        ]
        group = {
            "name": "g",
            "rules": [{"record": f"r:{n}", "expr": e} for n, e in enumerate(texts)],
        }
        path = tmp_path / "queries.yml"
        path.write_text(yaml.safe_dump({"groups": [group]}))
        done = subprocess.run(
            [found, "check", "rules", "--lint=none", str(path)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def test_stand_in_zeros_are_found_and_taken_out(self):
        """The helper takes out the zero and no more, so that missing metrics can't hide."""
        assert without_zeros("sum by (a) (x\nor\n0 * max (up == 1))").split() == [
            "sum",
            "by",
            "(a)",
            "(x",
            ")",
        ]
        assert without_zeros("count(x) or vector(0)").strip() == "count(x)"


class TestAlerts:
    @pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
    def test_an_alert_leads_to_a_dashboard_that_exists(self, alert):
        """Its link names a dashboard's uid, and only variables that it has."""
        url = urlparse(alert["annotations"]["dashboard_url"])
        uid = url.path.removeprefix("/d/")
        assert uid in UIDS
        variables = {v["name"] for v in DASHBOARDS[UIDS[uid]]["templating"]["list"]}
        assert {name.removeprefix("var-") for name in parse_qs(url.query)} <= variables


class TestCurrentSchema:
    """The dashboards of `grafana/dashboards-v2` are the classic ones in another form."""

    @pytest.mark.parametrize("name", DASHBOARDS)
    def test_it_has_the_same_panels_with_the_same_queries_and_options(self, name):
        """Nothing is lost on the way, and nothing added."""
        classic, current = DASHBOARDS[name], CURRENT[name]["spec"]
        elements = {found["spec"]["id"]: found["spec"] for found in current["elements"].values()}
        assert set(elements) == {panel["id"] for panel in panels(classic)}
        for panel in panels(classic):
            found = elements[panel["id"]]
            assert (found["title"], found["description"]) == (panel["title"], panel["description"])
            assert found["vizConfig"]["group"] == panel["type"]
            kept = {name: v for name, v in panel["options"].items() if name != "footer"}
            assert found["vizConfig"]["spec"]["options"].items() >= kept.items()
            asked = [
                (query["spec"]["refId"], query["spec"]["query"]["spec"]["expr"])
                for query in found["data"]["spec"]["queries"]
            ]
            assert asked == [(t["refId"], t["expr"]) for t in panel.get("targets", ())]

    @pytest.mark.parametrize("name", DASHBOARDS)
    def test_each_panel_stands_once_where_it_stood(self, name):
        """In its row, at the same height below the row's title."""
        rows = CURRENT[name]["spec"]["layout"]["spec"]["rows"]
        classic = [panel for panel in DASHBOARDS[name]["panels"] if panel["type"] == "row"]
        assert [(r["spec"]["title"], r["spec"]["collapse"]) for r in rows] == [
            (row["title"], row["collapsed"]) for row in classic
        ]
        tops = {}
        for row, header in zip(rows, classic, strict=True):
            for item in row["spec"]["layout"]["spec"]["items"]:
                place, name_ = item["spec"], item["spec"]["element"]["name"]
                assert name_ not in tops
                tops[name_] = (place["x"], place["y"] + header["gridPos"]["y"] + 1)
        assert tops == {
            f"panel-{p['id']}": (p["gridPos"]["x"], p["gridPos"]["y"])
            for p in panels(DASHBOARDS[name])
        }

    @pytest.mark.parametrize("name", DASHBOARDS)
    def test_it_has_the_same_name_variables_and_marks(self, name):
        """Links and bookmarks hold for both."""
        classic, current = DASHBOARDS[name], CURRENT[name]
        assert current["metadata"]["name"] == classic["uid"]
        assert [v["spec"]["name"] for v in current["spec"]["variables"]] == [
            v["name"] for v in classic["templating"]["list"]
        ]
        assert [a["spec"]["query"]["spec"]["expr"] for a in current["spec"]["annotations"]] == [
            a["expr"] for a in classic["annotations"]["list"]
        ]


class TestProvisioning:
    def test_the_data_source_has_the_uid_that_dashboards_choose(self):
        """One data source, fixed uid, read-only, with the interval of the scrapes."""
        (source,) = _yaml("datasources/prometheus.yml")["datasources"]
        assert source["editable"] is False
        assert source["url"] == "$PROMETHEUS_URL"
        scrapes = yaml.safe_load((ROOT / "monitoring/prometheus.yml").read_text())["scrape_configs"]
        assert source["jsonData"]["timeInterval"] == scrapes[0]["scrape_interval"]
        for dashboard in DASHBOARDS.values():
            (variable,) = [v for v in dashboard["templating"]["list"] if v["name"] == "datasource"]
            assert variable["current"]["value"] == source["uid"]
            assert variable["query"] == source["type"]

    def test_dashboards_come_from_where_they_are_mounted_and_stay_as_they_are(self):
        """The folder is the container's; nothing can be saved from the browser."""
        (provider,) = _yaml("dashboards/ai-engine.yml")["providers"]
        assert provider["allowUiUpdates"] is False
        compose = yaml.safe_load((ROOT / "docker-compose.monitoring.yml").read_text())
        mounts = compose["services"]["grafana"]["volumes"]
        assert f"./grafana/dashboards:{provider['options']['path']}:ro" in mounts
        assert "./grafana/provisioning:/etc/grafana/provisioning:ro" in mounts


def _yaml(name):
    return yaml.safe_load((ROOT / "grafana" / "provisioning" / name).read_text())
