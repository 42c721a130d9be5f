"""HTTP on loopback with the standard library, so that the command line needs nothing more."""

from __future__ import annotations

import json
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
        raise Unreachable(f"{url} can't be reached: {reason}") from error


def get_json(url: str, **parameters: str) -> Any:
    """Return the JSON behind a URL.

    Raises:
        Unreachable: as :func:`get`, or the answer is no JSON.
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
            raise Unreachable(f"{self.url}/api/v1/{path} doesn't answer as Prometheus does")
        return answer["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the series of an instant query."""
        return list(self.api("query", query=expression)["result"])
