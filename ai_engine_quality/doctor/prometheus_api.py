"""Asks a Prometheus, and other servers, over HTTP; the standard library suffices."""

from __future__ import annotations

import json
import math
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

TIMEOUT_SECONDS = 10.0
MAX_BYTES = 64 * 1024 * 1024


class Unreachable(Exception):  # noqa: N818  # named for what it says, in a message
    """A server that can't be asked; the text says why."""


def get(url: str) -> str:
    """Return the text behind a URL.

    Raises:
        Unreachable: nobody answers, or not with 200.
    """
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise Unreachable(f"{url} is no http:// address")
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310  # checked
            return str(answer.read(MAX_BYTES).decode("utf-8", "replace"))
    except urllib.error.HTTPError as error:
        with error:
            detail = error.read(300).decode("utf-8", "replace").strip()
        raise Unreachable(f"{url} answers {error.code}: {detail}") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        said = getattr(reason, "strerror", None) or reason
        raise Unreachable(f"{url.partition('?')[0]} can't be reached: {said}") from error


def get_json(url: str, **parameters: str) -> Any:
    """Return the JSON behind a URL.

    Raises:
        Unreachable: as ``get``, or the answer is no JSON.
    """
    query = f"?{urllib.parse.urlencode(parameters)}" if parameters else ""
    text = get(url + query)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreachable(f"{url} answers something that is no JSON") from error


class Prometheus:
    """The HTTP API of a Prometheus, or of what answers like one."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def api(self, path: str, **parameters: str) -> Any:
        """Return the ``data`` of an API call.

        Raises:
            Unreachable: it can't be asked, or answers an error.
        """
        answer = get_json(f"{self.url}/api/v1/{path}", **parameters)
        if not isinstance(answer, dict) or answer.get("status") != "success":
            raise self._stranger(path)
        return answer["data"]

    def query(self, expression: str, at: float | None = None) -> list[dict[str, Any]]:
        """Return the series of a query, now or at a unix time in seconds.

        Raises:
            Unreachable: as ``api``.
        """
        when = {} if at is None else {"time": str(at)}
        found = self.api("query", query=expression, **when)
        if not isinstance(found, dict) or not isinstance(found.get("result"), list):
            raise self._stranger("query")
        return list(found["result"])

    def value(self, expression: str, at: float | None = None) -> float | None:
        """Return the value of an expression of one series; None where there is none, or NaN."""
        series = self.query(expression, at)
        value = float(series[0]["value"][1]) if series else math.nan
        return None if math.isnan(value) else value

    def exemplars(self, selector: str, start: float, end: float) -> list[dict[str, Any]]:
        """Return the exemplars of series between two unix times, in seconds.

        Raises:
            Unreachable: as ``api``; not everything that answers like one has exemplars.
        """
        found = self.api("query_exemplars", query=selector, start=str(start), end=str(end))
        if not isinstance(found, list):
            raise self._stranger("query_exemplars")
        return found

    def _stranger(self, path: str) -> Unreachable:
        return Unreachable(f"{self.url}/api/v1/{path} doesn't answer as Prometheus does")
