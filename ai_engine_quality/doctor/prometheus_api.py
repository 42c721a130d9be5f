"""Asks a Prometheus, and other servers, over HTTP; the standard library suffices."""

from __future__ import annotations

import http.client
import json
import math
import queue
import threading
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

TIMEOUT_SECONDS = 10.0
"""In which a server must say something."""

TOTAL_SECONDS = 30.0
"""In which its answer must be complete, however it comes: some drip a byte every few seconds."""

MAX_BYTES = 64 * 1024 * 1024


class Unreachable(Exception):  # noqa: N818  # named for what it says, in a message
    """A server that can't be asked; the text says why."""

    def __init__(self, reason: str, status: int | None = None) -> None:
        super().__init__(reason)
        self.status = status
        """Its HTTP status, where it answered with one that isn't 200."""


class TooSlow(Unreachable):
    """A server whose answer isn't complete in time: to ask it more would take as long each time."""


def get(url: str, authorization: str | None = None) -> str:
    """Return the text behind a URL, or give up after ``TOTAL_SECONDS``.

    An ``authorization`` is a header's value, for this URL's server alone: it passes by every proxy
    that the environment names, and is not sent on to where that server's answer leads.

    Raises:
        Unreachable: nobody answers, or not with 200; ``TooSlow`` where it takes too long.
    """
    # urllib bounds each read, but not all of them together. A thread that is still reading then
    # ends with the process.
    outcome: queue.SimpleQueue[str | Exception] = queue.SimpleQueue()
    reading = threading.Thread(
        target=_put, args=(url, authorization, outcome), daemon=True, name="get"
    )
    reading.start()
    try:
        found = outcome.get(timeout=TOTAL_SECONDS)
    except queue.Empty:
        raise TooSlow(f"{url} hasn't answered completely within {TOTAL_SECONDS:g} s") from None
    if isinstance(found, Exception):
        raise found
    return found


def _put(url: str, authorization: str | None, outcome: queue.SimpleQueue[str | Exception]) -> None:
    try:
        outcome.put(_get(url, authorization))
    except Exception as error:  # raised again in the thread that waits for it
        outcome.put(error)


def _get(url: str, authorization: str | None) -> str:
    if not _is_http(url):
        raise Unreachable(f"{url.partition('?')[0]} is no http:// address")
    try:
        with _opened(url, authorization) as answer:
            return str(answer.read(MAX_BYTES).decode("utf-8", "replace"))
    except urllib.error.HTTPError as error:
        with error:
            detail = error.read(300).decode("utf-8", "replace").strip()
        raise Unreachable(f"{url} answers {error.code}: {detail}", error.code) from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        said = getattr(reason, "strerror", None) or reason
        raise Unreachable(f"{url.partition('?')[0]} can't be reached: {said}") from error


def _is_http(url: str) -> bool:
    try:
        return urllib.parse.urlsplit(url).scheme in ("http", "https")
    except ValueError:  # a bracket that isn't closed, say
        return False


def _opened(url: str, authorization: str | None) -> Any:
    request = urllib.request.Request(url)  # noqa: S310  # checked
    if authorization is None:
        return urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)  # noqa: S310  # checked
    # urllib repeats other headers wherever it is redirected to.
    request.add_unredirected_header("Authorization", authorization)
    past_proxies = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    return past_proxies.open(request, timeout=TIMEOUT_SECONDS)


def get_json(url: str, **parameters: str) -> Any:
    """Return the JSON behind a URL.

    Raises:
        Unreachable: as ``get``, or the answer is no JSON.
    """
    query = f"?{urllib.parse.urlencode(parameters)}" if parameters else ""
    return parsed(url, get(url + query))


def parsed(url: str, text: str) -> Any:
    """Return what a server's answer holds.

    Raises:
        Unreachable: it is no JSON.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreachable(f"{url} answers something that is no JSON") from error


class Prometheus:
    """The HTTP API of a Prometheus, or of what answers like one."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self.too_slow = False
        """Whether an answer of it took too long: it isn't asked again then."""

    def api(self, path: str, **parameters: str) -> Any:
        """Return the ``data`` of an API call.

        Raises:
            Unreachable: it can't be asked, or answers an error.
        """
        if self.too_slow:
            raise TooSlow(f"{self.url} is too slow to be asked again")
        try:
            answer = get_json(f"{self.url}/api/v1/{path}", **parameters)
        except TooSlow:
            self.too_slow = True
            raise
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
