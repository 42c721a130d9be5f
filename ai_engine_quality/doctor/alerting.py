"""From Prometheus to the pager: is Alertmanager there, and do notifications arrive?"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from prometheus_client.parser import text_string_to_metric_families

from ai_engine_quality.doctor.prometheus_api import Prometheus, Unreachable, get, get_json
from ai_engine_quality.doctor.results import CheckResult, failed, ok, skipped, warning

SENT: Final = "alertmanager_notification_requests_total"
FAILED: Final = "alertmanager_notification_requests_failed_total"
RECEIVED: Final = "alertmanager_alerts_received_total"
UNAUTHORIZED: Final = 401
ANY_ORIGIN: Final = ".*"
"""What Prometheus' --web.cors.origin is where nobody says it."""
WINDOW: Final = "15m"
RECEIVER_FIX: Final = (
    "see Alertmanager's log for the reason, then its receivers in alertmanager.yml: address, "
    "secret, and whether anybody listens there"
)


def check_alertmanager(prometheus: Prometheus) -> Iterator[CheckResult]:
    """Yield whether alerts have somewhere to go, and whether they get there."""
    bases = _alertmanagers(prometheus)
    if not bases:
        fix = "list it in monitoring/targets/alertmanager.yml, and start it: make up"
        yield failed("alertmanager", "Prometheus knows no Alertmanager", fix)
        yield skipped("delivery", "there is no Alertmanager")
    for base in bases:
        try:
            get(f"{base}/-/ready")
        except Unreachable as reason:
            if reason.status != UNAUTHORIZED:
                yield failed("alertmanager", str(reason), "start it: make up")
                yield skipped("delivery", "Alertmanager doesn't answer")
                continue
            yield ok("alertmanager", f"{base} answers those who know its password")
        else:
            yield ok("alertmanager", f"{base} is ready")
        yield _watchdog(prometheus, base)
        yield _delivery(prometheus, base)


def _alertmanagers(prometheus: Prometheus) -> list[str]:
    active = prometheus.api("alertmanagers")["activeAlertmanagers"]
    return [entry["url"].partition("/api/")[0] for entry in active]


def check_web_pages(prometheus: Prometheus) -> Iterator[CheckResult]:
    """Yield whether a web page in an operator's browser can read metrics, or silence alerts."""
    where = "docs/Operators-Manual.md, Security"
    wrong = False
    if prometheus.api("status/flags").get("web.cors.origin") == ANY_ORIGIN:
        wrong = True
        found = f"{prometheus.url} hands metrics to every page that is open where it can be reached"
        yield warning("web pages", found, f"start it with --web.cors.origin=none: {where}")
    for base in _alertmanagers(prometheus):
        with contextlib.suppress(Unreachable):
            get(f"{base}/api/v2/status")
            wrong = True
            found = f"{base} takes silences from every page that is open where it can be reached"
            yield warning("web pages", found, f"give it a password by --web.config.file: {where}")
    if not wrong:
        yield ok("web pages", "none can read metrics or silence alerts")


def _watchdog(prometheus: Prometheus, base: str) -> CheckResult:
    """Return whether the alert that always fires has come from Prometheus to Alertmanager."""
    check = "alert path"
    try:
        alerts = get_json(f"{base}/api/v2/alerts", filter='alertname="Watchdog"')
    except Unreachable as reason:
        # Behind a password: Prometheus knows it, and scrapes how many alerts were received.
        if prometheus.value(f"sum(increase({RECEIVED}[{WINDOW}])) > 0"):
            return ok(check, "alerts reach Alertmanager from Prometheus")
        return skipped(check, str(reason))
    states = [_state(alert) for alert in alerts] if isinstance(alerts, list) else []
    if not states:
        fix = "is the rule Watchdog loaded, and does Prometheus' log speak of errors in sending?"
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


def _delivery(prometheus: Prometheus, base: str) -> CheckResult:
    """Return whether Alertmanager's requests to its receivers succeed, by its own counters."""
    check = "delivery"
    lately = _of_prometheus(prometheus)
    counts = lately
    if not lately:
        with contextlib.suppress(Unreachable, ValueError):  # behind a password, say
            counts = _of_itself(base)
    since = f"in the last {WINDOW[:-1]} minutes" if lately else "since Alertmanager started"
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
        return warning(check, found, fix, details)
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


def _of_itself(base: str) -> dict[str, _Count]:
    sums: dict[str, dict[str, float]] = {SENT: {}, FAILED: {}}
    for family in text_string_to_metric_families(get(f"{base}/metrics")):
        for sample in family.samples:
            if sample.name in sums:
                name = sample.labels.get("integration", "")
                sums[sample.name][name] = sums[sample.name].get(name, 0.0) + sample.value
    return {name: _Count(sent, sums[FAILED].get(name, 0.0)) for name, sent in sums[SENT].items()}
