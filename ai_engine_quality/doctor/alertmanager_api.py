"""A client of Alertmanager's HTTP API, which asks for a password where the stack is ours.

A password must not reach a stranger. It is sent only to who asks for it, only to an Alertmanager
on this machine or one that the user has named, past every proxy, and never on to where an answer
leads.
"""

from __future__ import annotations

import base64
import ipaddress
import urllib.parse
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ai_engine_quality.doctor.prometheus_api import Prometheus, TooSlow, Unreachable, get, parsed

USER: Final = "monitoring"
"""Whose password tools/monitoring-secrets makes."""
PASSWORD_FILES: Final = (Path(".secrets/login/password"), Path("/run/monitoring-login/password"))
"""Where it is: in the checkout, and where monitoring/prometheus.yml looks."""
MAX_PASSWORD_BYTES: Final = 4096
UNAUTHORIZED: Final = 401


class NoLogin(Unreachable):
    """An Alertmanager that asks for a password which it isn't given; ``fix`` says how to."""

    def __init__(self, reason: str, fix: str) -> None:
        super().__init__(reason, UNAUTHORIZED)
        self.fix = fix


@dataclass(frozen=True, slots=True)
class Access:
    """Which Alertmanagers are asked, and with which password, as the user has said."""

    alertmanagers: tuple[str, ...] = ()
    """Addresses to ask in place of those that Prometheus names."""
    password_file: Path | None = None
    """None: where the stack's own tools put it."""

    def read(self, prometheus: Prometheus) -> list[Alertmanager]:
        """Return the Alertmanagers to ask; empty where Prometheus knows none.

        Raises:
            Unreachable: Prometheus can't be asked.
        """
        active = prometheus.api("alertmanagers")["activeAlertmanagers"]
        known = [entry["url"].partition("/api/")[0] for entry in active]
        asked = self.alertmanagers or tuple(known) if known else ()
        return [Alertmanager(url.rstrip("/"), self, prometheus.url) for url in asked]

    def may_have_password(self, url: str, prometheus: str) -> bool:
        """Whether an Alertmanager may be sent the password.

        A Prometheus elsewhere means its own machine by 127.0.0.1, which here is somebody else.
        """
        named = url in {address.rstrip("/") for address in self.alertmanagers}
        if on_loopback(url):
            return named or on_loopback(prometheus)
        return named and self.password_file is not None

    def password(self) -> tuple[Path, str]:
        """Return the password, and the file that it is from.

        Raises:
            NoLogin: there is none, or it can't be read.
        """
        files = PASSWORD_FILES if self.password_file is None else (self.password_file,)
        why = "Alertmanager's password isn't known"
        for file in files:
            try:
                return file, _read(file)
            except FileNotFoundError:
                if self.password_file is not None:
                    why = f"there is no {file}"
            except OSError as error:
                why = f"{file} can't be read: {error.strerror}"
            except ValueError as error:
                why = f"{file} {error}"
        raise NoLogin(why, _fix())


def _fix() -> str:
    return f"--alertmanager-password-file FILE; make up writes {PASSWORD_FILES[0]}"


def _read(file: Path) -> str:
    """Return a file's password, as Prometheus reads it.

    Raises:
        OSError: it can't be read.
        ValueError: it holds none.
    """
    if file.exists() and not file.is_file():  # a pipe would be waited for
        raise ValueError("is no plain file")
    with file.open("rb") as opened:
        content = opened.read(MAX_PASSWORD_BYTES + 1)
    try:
        password = content.decode().strip()
    except UnicodeDecodeError:
        password = ""
    if not password or len(content) > MAX_PASSWORD_BYTES:
        raise ValueError("holds no password")
    return password


def on_loopback(url: str) -> bool:
    """Whether an address is this very machine's, so that what is sent there doesn't leave it."""
    try:
        parts = urllib.parse.urlsplit(url)
        host = parts.hostname or ""
        # Who reads "127.0.0.1@example.org" otherwise than we do would send it to another.
        if "@" in parts.netloc or "\\" in parts.netloc:
            return False
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Alertmanager:
    """The HTTP API of an Alertmanager, with or without a password."""

    def __init__(self, url: str, access: Access, prometheus: str) -> None:
        self.url = url
        self._access = access
        self._prometheus = prometheus
        self._too_slow = False

    def open(self, path: str) -> str:
        """Return what a path answers to who gives no password.

        Raises:
            Unreachable: it can't be asked.
        """
        return self._get(path, None)

    def get(self, path: str) -> str:
        """Return what a path answers, to who gives the password where it is asked for.

        Raises:
            NoLogin: the password is asked for, and there is none that may be given, or another.
            Unreachable: it can't be asked.
        """
        try:
            return self.open(path)
        except Unreachable as reason:
            if reason.status != UNAUTHORIZED:
                raise
        if not self._access.may_have_password(self.url, self._prometheus):
            why = f"{self.url} isn't known to be this machine's, and asks for a password"
            fix = f"--alertmanager {self.url} --alertmanager-password-file FILE, if you trust it"
            raise NoLogin(why, fix)
        file, password = self._access.password()
        coded = base64.b64encode(f"{USER}:{password}".encode()).decode()
        try:
            return self._get(path, f"Basic {coded}")
        except Unreachable as reason:
            if reason.status == UNAUTHORIZED:
                raise NoLogin(f"{self.url} refuses the password of {file}", _fix()) from None
            raise

    def get_json(self, path: str, **parameters: str) -> Any:
        """Return the JSON behind a path.

        Raises:
            NoLogin: as ``get``.
            Unreachable: as ``get``, or the answer is no JSON.
        """
        text = self.get(f"{path}?{urllib.parse.urlencode(parameters)}")
        return parsed(f"{self.url}{path}", text)

    def _get(self, path: str, authorization: str | None) -> str:
        if self._too_slow:
            raise TooSlow(f"{self.url} is too slow to be asked again")
        try:
            return get(f"{self.url}{path}", authorization)
        except TooSlow:
            self._too_slow = True
            raise
