"""The pictures' program, as far as it needs no browser: variables, steps, and the cards."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from ai_engine_pictures.cards import CARDS, read_cards
from ai_engine_pictures.dashboards import Dashboard, Variable, expanded, rounded_interval
from ai_engine_pictures.history import STALE
from ai_engine_pictures.prometheus import Rule, firing, read_rules, with_ends
from boards import DASHBOARDS, ROOT, panel

TITLES = {name: dashboard["title"] for name, dashboard in DASHBOARDS.items()}
SHOWN = {card.name: card for card in read_cards()}


@pytest.mark.parametrize("name", SHOWN)
def test_a_card_shows_the_panels_that_the_document_names(name):
    """The picture has the steps of docs/Dashboards.md, in their order."""
    text = (ROOT / "docs" / "Dashboards.md").read_text()
    before = text.split(f"img/card-{name}.png")[0]
    written = re.findall(
        r"^\d\. \*{1,2}(.+?)\*{1,2} on \*(.+?)\*:", before.rsplit("\n### ", 1)[1], re.MULTILINE
    )
    drawn = [
        (title, TITLES[step.dashboard.removeprefix("ai-engine-")])
        for step in SHOWN[name].steps
        for title in step.panels
    ]
    assert drawn == written


@pytest.mark.parametrize("name", SHOWN)
def test_each_step_of_a_card_says_what_the_document_says_first(name):
    """The sentence above a step's panel is the one with which the document's step begins."""
    text = (ROOT / "docs" / "Dashboards.md").read_text()
    steps = text.split(f"img/card-{name}.png")[0].rsplit("\n### ", 1)[1]
    written = re.findall(
        r"^\d\. .+? on \*.+?\*: (.+?[.?])(?:\s|$)", _in_one_line(steps), re.MULTILINE
    )
    said = [step.says for step in SHOWN[name].steps]
    assert [sentence[0].upper() + sentence[1:] for sentence in written] == [
        sentence[0].upper() + sentence[1:] for sentence in said
    ]


def _in_one_line(steps):
    """Return steps without the breaks within a step."""
    return re.sub(r"\n   ", " ", steps)


@pytest.mark.parametrize("name", SHOWN)
def test_every_panel_of_a_card_exists(name):
    """No step names a panel that its dashboard hasn't."""
    for step in SHOWN[name].steps:
        for title in step.panels:
            assert panel(step.dashboard.removeprefix("ai-engine-"), title)


def test_an_engines_faults_do_not_overlap():
    """Each card shows one fault alone: the one before is over when it begins."""
    for engine in {card.incident.engine for card in SHOWN.values()}:
        faults = sorted(
            (card.incident for card in SHOWN.values() if card.incident.engine == engine),
            key=lambda incident: incident.begins,
        )
        for earlier, later in pairwise(faults):
            assert earlier.ends < later.begins


def test_a_card_with_a_wrong_fault_says_what_there_is(tmp_path):
    """A slip in the file is an error that names the card and the choices."""
    path = tmp_path / "cards.toml"
    path.write_text(CARDS.read_text().replace('"wrong_codec"', '"wrong"'))
    with pytest.raises(ValueError, match="card codec: no fault 'wrong'; choose one of"):
        read_cards(path)


def test_variables_are_put_in_as_grafana_does():
    """One value as it is, several as a group, All as its own pattern; unknown names stay."""
    variables = {
        "one": Variable(("a:15000",)),
        "many": Variable(("a.b", "c"), multi=True),
        "all": Variable((), multi=True, everything=".*"),
    }
    assert expanded('x{i="$one"}', variables) == 'x{i="a:15000"}'
    assert expanded('x{i=~"${many}"}', variables) == 'x{i=~"(a\\\\.b|c)"}'
    assert expanded('x{i=~"$all"}[$__range]', variables) == 'x{i=~".*"}[$__range]'
    assert expanded("${many:csv}", variables) == "a.b,c"


@pytest.mark.parametrize(
    ("length", "step"), [(0.012, 0.01), (1.2, 1.0), (14.0, 15.0), (100_000.0, 86_400.0)]
)
def test_a_step_is_rounded_to_one_that_people_read(length, step):
    """As Grafana's roundInterval."""
    assert rounded_interval(length) == step


def test_a_rule_comes_after_what_it_reads(tmp_path):
    """Whatever their order in the file, rules are worked out bottom up; a circle is an error."""
    path = tmp_path / "rules.yml"
    group = "groups: [{{name: g, interval: 15s, rules: [{}]}}]"
    path.write_text(
        group.format(
            "{alert: A, expr: b:c > 1}, {record: 'b:c', expr: a:b}, {record: 'a:b', expr: up}"
        )
    )
    assert [rule.name for rule in read_rules([path], 10)] == ["a:b", "b:c", "A"]
    path.write_text(group.format("{record: 'a:b', expr: b:a}, {record: 'b:a', expr: a:b}"))
    with pytest.raises(ValueError, match="read each other in a circle"):
        read_rules([path], 10)


def test_an_alert_is_pending_first_and_kept_firing_afterwards():
    """It fires `for` after its expression holds, and `keep_firing_for` after it holds no more."""
    rule = Rule("A", "up == 0", 10, {}, alert=True, pending_seconds=20, keep_firing_seconds=20)
    assert firing(rule, [0, 10], 100) == []
    assert firing(rule, [0, 10, 30, 40], 100) == []  # a gap begins it anew
    assert firing(rule, [0, 10, 20, 30], 100) == [20, 30, 40, 50]
    assert firing(rule, [0, 10, 20, 40], 100) == [20, 30, 40, 50, 60]
    assert firing(rule, [0, 10, 20], 30) == [20, 30]


def test_a_series_that_breaks_off_is_marked():
    """Prometheus would hold its last value for five minutes; at the very end nothing is marked."""
    marked = with_ends([(0, 1.0), (10, 2.0), (40, 3.0), (50, 4.0)], 10, 80)
    assert [at for at, _ in marked] == [0, 10, 20, 40, 50, 60]
    assert [at for at, value in marked if value != value] == [20, 60]  # noqa: PLR0124 - NaN
    assert STALE != STALE  # noqa: PLR0124 - a NaN too
    assert with_ends([(70, 1.0), (80, 2.0)], 10, 80) == [(70, 1.0), (80, 2.0)]


def test_collapsed_rows_are_drawn_open():
    """What stands in a collapsed row is placed below it, and what follows moves down."""

    def at(y, height, **more):
        return {
            "type": "stat",
            "title": str(y),
            "gridPos": {"x": 0, "y": y, "w": 6, "h": height},
            **more,
        }

    row = at(5, 1, panels=[at(6, 4)]) | {"type": "row"}
    placed = Dashboard({"panels": [at(0, 5), row, at(6, 3)]}).placed()
    assert [(found.y, found.height) for found in placed] == [(0, 5), (5, 1), (6, 4), (10, 3)]
