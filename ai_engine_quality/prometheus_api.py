"""Asks a Prometheus, or what answers like one, by its HTTP API; the standard library suffices."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

TIMEOUT_SECONDS = 30.0
MAX_BYTES = 64 * 1024 * 1024


class PrometheusError(Exception):
    """A Prometheus can't be asked; the text says why, and the mend."""


class Prometheus:
    """The HTTP API of one Prometheus."""

    def __init__(self, url: str) -> None:
        """Take an address such as ``http://127.0.0.1:9090``.

        Raises:
            PrometheusError: it is none.
        """
        if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
            raise PrometheusError(f"{url} is no address; write one like http://127.0.0.1:9090")
        self.url = url.rstrip("/")

    def query(self, expression: str, at: float) -> list[dict[str, Any]]:
        """Return the series of a query at a unix time, in seconds.

        Raises:
            PrometheusError: it can't be asked, or answers something else.
        """
        found = self._ask("query", query=expression, time=str(at))
        if not isinstance(found, dict) or not isinstance(found.get("result"), list):
            raise self._stranger()
        return list(found["result"])

    def value(self, expression: str, at: float) -> float | None:
        """Return the value of an expression of one series; None where there is none, or NaN."""
        series = self.query(expression, at)
        value = float(series[0]["value"][1]) if series else float("nan")
        return None if value != value else value  # noqa: PLR0124  # NaN is what differs from itself

    def exemplars(self, selector: str, start: float, end: float) -> list[dict[str, Any]]:
        """Return the exemplars of series between two unix times, in seconds.

        Raises:
            PrometheusError: as :meth:`query`; not everything that answers like one has exemplars.
        """
        found = self._ask("query_exemplars", query=selector, start=str(start), end=str(end))
        if not isinstance(found, list):
            raise self._stranger()
        return found

    def _ask(self, path: str, **parameters: str) -> Any:
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310  # http(s), as checked
                text = answer.read(MAX_BYTES)
        except urllib.error.HTTPError as error:
            with error:
                detail = error.read(300).decode("utf-8", "replace").strip()
            raise PrometheusError(f"{self.url} answers {error.code}: {detail}") from error
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            raise PrometheusError(
                f"{self.url} can't be reached ({reason}); is Prometheus running there?"
            ) from error
        return self._data(text)

    def _data(self, text: bytes) -> Any:
        try:
            answer = json.loads(text)
        except ValueError as error:
            raise self._stranger() from error
        if not isinstance(answer, dict) or answer.get("status") != "success":
            raise self._stranger()
        return answer.get("data")

    def _stranger(self) -> PrometheusError:
        return PrometheusError(
            f"{self.url} doesn't answer as Prometheus does; its port is usually 9090"
        )
