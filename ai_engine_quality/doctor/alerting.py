"""From Prometheus to the pager: is Alertmanager there, who may use it, do notifications arrive?"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from prometheus_client.parser import text_string_to_metric_families

from ai_engine_quality.doctor.alertmanager_api import Alertmanager, NoLogin
from ai_engine_quality.doctor.prometheus_api import Prometheus, Unreachable
from ai_engine_quality.doctor.results import CheckResult, failed, ok, skipped, warning

SENT: Final = "alertmanager_notification_requests_total"
FAILED: Final = "alertmanager_notification_requests_failed_total"
RECEIVED: Final = "alertmanager_alerts_received_total"
WINDOW: Final = "15m"
FIRES: Final = 'ALERTS{alertname="Watchdog",alertstate="firing"}'
"""It takes up to a rule group's interval after the start of Prometheus."""
LATELY: Final = "in the last 15 minutes"
ANY_ORIGIN: Final = ".*"
"""What Prometheus' --web.cors.origin is where nobody says it."""
RECEIVER_FIX: Final = (
    "see Alertmanager's log for the reason, then its receivers in alertmanager.yml: address, "
    "secret, and whether anybody listens there"
)


def check_alertmanager(
    prometheus: Prometheus, alertmanagers: list[Alertmanager]
) -> Iterator[CheckResult]:
    """Yield whether alerts have somewhere to go, and whether they get there."""
    if not alertmanagers:
        fix = "list it in monitoring/targets/alertmanager.yml, and start it: make up"
        yield failed("alertmanager", "Prometheus knows no Alertmanager", fix)
        yield skipped("delivery", "there is no Alertmanager")
    for alertmanager in alertmanagers:
        try:
            alertmanager.get("/-/ready")
        except NoLogin:
            yield ok("alertmanager", f"{alertmanager.url} answers those who know its password")
        except Unreachable as reason:
            yield failed("alertmanager", str(reason), "start it: make up")
            yield skipped("delivery", "Alertmanager doesn't answer")
            continue
        else:
            yield ok("alertmanager", f"{alertmanager.url} is ready")
        yield _watchdog(prometheus, alertmanager)
        yield _delivery(prometheus, alertmanager)


def check_web_pages(
    prometheus: Prometheus, alertmanagers: list[Alertmanager]
) -> Iterator[CheckResult]:
    """Yield whether a web page in an operator's browser can read metrics, or silence alerts."""
    where = "docs/Operators-Manual.md, Security"
    wrong = False
    if prometheus.api("status/flags").get("web.cors.origin") == ANY_ORIGIN:
        wrong = True
        found = f"{prometheus.url} hands metrics to every page that is open where it can be reached"
        yield warning("web pages", found, f"start it with --web.cors.origin=none: {where}")
    for alertmanager in alertmanagers:
        with contextlib.suppress(Unreachable):
            alertmanager.open("/api/v2/status")
            wrong = True
            who = "every page that is open where it can be reached"
            found = f"{alertmanager.url} takes silences from {who}"
            yield warning("web pages", found, f"give it a password by --web.config.file: {where}")
    if not wrong:
        yield ok("web pages", "none can read metrics or silence alerts")


def _watchdog(prometheus: Prometheus, alertmanager: Alertmanager) -> CheckResult:
    """Return whether the alert that always fires has come from Prometheus to Alertmanager."""
    check = "alert path"
    try:
        alerts = alertmanager.get_json("/api/v2/alerts", filter='alertname="Watchdog"')
    except NoLogin as reason:
        # Prometheus may log in by itself, and scrape how many alerts were received.
        some = prometheus.value(f"sum(increase({RECEIVED}[{WINDOW}])) > 0")
        arrived = f", though some alerts arrived {LATELY}" if some else ""
        return skipped(check, f"{reason}{arrived}", reason.fix)
    except Unreachable as reason:
        return skipped(check, str(reason))
    states = [_state(alert) for alert in alerts] if isinstance(alerts, list) else []
    if not states and not prometheus.query(FIRES):
        fix = "ask again in a minute; where it stays so, see the checks rules and evaluation"
        return warning(check, "the Watchdog doesn't fire in Prometheus yet", fix)
    if not states:
        fix = (
            "is the rule Watchdog loaded, does Prometheus know Alertmanager's password, and does "
            "its log speak of errors in sending?"
        )
        return failed(check, "Prometheus' alerts don't reach Alertmanager", fix)
    if "active" not in states:
        fix = "expire the silence: it holds back every alert that it matches"
        return failed(check, "the Watchdog is silenced or inhibited", fix)
    return ok(check, "the Watchdog reaches Alertmanager from Prometheus")


def _state(alert: Any) -> str:
    status = alert.get("status", {}) if isinstance(alert, dict) else {}
    return str(status.get("state", ""))


@dataclass(frozen=True, slots=True)
class _Count:
    sent: float
    failed: float


def _delivery(prometheus: Prometheus, alertmanager: Alertmanager) -> CheckResult:
    """Return whether Alertmanager's requests to its receivers succeed, by its own counters."""
    check = "delivery"
    counts = lately = _of_prometheus(prometheus)
    unread: tuple[str, ...] = ()
    if not lately:
        try:
            counts = _of_itself(alertmanager)
        except NoLogin as reason:
            unread = (f"its own counters were not read: {reason}; fix: {reason.fix}",)
        except (Unreachable, ValueError) as reason:
            unread = (f"its own counters were not read: {reason}",)
    return _delivered(check, counts, unread, lately=bool(lately))


def _delivered(
    check: str, counts: dict[str, _Count], unread: tuple[str, ...], *, lately: bool
) -> CheckResult:
    """Return what the counts of requests say; ``lately``: Prometheus has them, of a window."""
    since = LATELY if lately else "since Alertmanager started"
    failing = {name: count for name, count in counts.items() if count.failed > count.sent / 2}
    details = tuple(
        f"{name}: {count.failed:.0f} of {count.sent:.0f} requests failed {since}"
        for name, count in sorted(counts.items())
        if count.sent
    )
    if failing:
        name, count = max(failing.items(), key=lambda item: item[1].failed)
        found = f"notifications don't arrive: {_of(count)} by {name} failed {since}"
        return failed(check, found, RECEIVER_FIX, details)
    if lost := {name: count for name, count in counts.items() if count.failed >= 1}:
        name, count = max(lost.items(), key=lambda item: item[1].failed)
        found = f"{_of(count)} by {name} failed {since}"
        return warning(check, found, RECEIVER_FIX, details)
    sent = sum(count.sent for count in counts.values())
    if not lately:
        found = "Prometheus doesn't scrape Alertmanager: AlertsNotDelivered can't fire"
        fix = "add a scrape job for Alertmanager, as in monitoring/prometheus.yml"
        return warning(check, found, fix, (*details, *unread))
    if not sent:
        return ok(check, f"nothing was to be sent {since}")
    return ok(check, f"every notification arrived {since}", details)


def _of(count: _Count) -> str:
    return f"{count.failed:.0f} of {count.sent:.0f}"


def _of_prometheus(prometheus: Prometheus) -> dict[str, _Count]:
    """Return the last 15 minutes' requests by integration; empty where they aren't scraped."""

    def by_integration(metric: str) -> dict[str, float]:
        found = prometheus.query(f"sum by (integration) (increase({metric}[{WINDOW}]))")
        return {s["metric"].get("integration", ""): float(s["value"][1]) for s in found}

    failures = by_integration(FAILED)
    return {
        name: _Count(sent, failures.get(name, 0.0)) for name, sent in by_integration(SENT).items()
    }


def _of_itself(alertmanager: Alertmanager) -> dict[str, _Count]:
    sums: dict[str, dict[str, float]] = {SENT: {}, FAILED: {}}
    for family in text_string_to_metric_families(alertmanager.get("/metrics")):
        for sample in family.samples:
            if sample.name in sums:
                name = sample.labels.get("integration", "")
                sums[sample.name][name] = sums[sample.name].get(name, 0.0) + sample.value
    return {name: _Count(sent, sums[FAILED].get(name, 0.0)) for name, sent in sums[SENT].items()}
