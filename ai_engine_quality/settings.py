"""Settings of a deployment: a TOML file, and ``AI_ENGINE_QUALITY_*`` variables over it.

Every mistake is an error that names the key, where it stands and what it should be: a threshold
that is silently ignored would be worse than none.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from ai_engine_quality.core import reading
from ai_engine_quality.core.policy import DEFAULT_POLICY, Policy, PolicyError, versions
from ai_engine_quality.core.wording import printable
from ai_engine_quality.live.facts import (
    COST,
    LIMITS,
    RETENTION,
    SAMPLING,
    CallCost,
    Retention,
    Sampling,
    by_provider,
)
from ai_engine_quality.sinks.records import SIZES, RecordFile, file_path

ENVIRONMENT_PREFIX = "AI_ENGINE_QUALITY_"
CONFIG_VARIABLE = "AI_ENGINE_QUALITY_CONFIG"
MAX_FILE_BYTES = 1_000_000
MAX_DOTS_IN_LINE = 50
MAX_DOTS = 5_000
"""Comments aside: the time that a parser takes for a key grows with the square of its parts."""

MAX_VARIABLE_LENGTH = 100
"""Characters of a number, true or false."""


class SettingsError(ValueError):
    """A setting that can't be used; the message names the key, its place and the fix."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message).replace("\n", " "))  # it may repeat what a file holds


@dataclass(frozen=True, slots=True)
class Records:
    """The record file.

    Raises:
        SettingsError: a value can't be used.
    """

    path: str
    max_bytes: int = 64_000_000
    files: int = 5
    certainty: bool = False
    """Whether each record says how certain its score is."""

    def __post_init__(self) -> None:
        with reading.reported_as(SettingsError):
            reading.check(self, _RECORDS, "records.")


@dataclass(frozen=True, slots=True)
class Settings:
    """What a deployment sets; the defaults are those of ``QualityMonitor``.

    Raises:
        SettingsError: a value can't be used.
    """

    policy: Policy = DEFAULT_POLICY
    records: Records | None = None
    costs: Mapping[str, CallCost] = field(default_factory=dict)
    retention: Retention = field(default_factory=Retention)
    per_call_series: bool = True
    log: bool = True
    max_live_calls: int = 20_000
    expire_after: float = 4 * 3600.0
    level_every: int = 1
    noise_every: int = 10

    def __post_init__(self) -> None:
        with reading.reported_as(SettingsError):
            reading.check(self, _PLAIN)

    def monitor_arguments(self) -> dict[str, Any]:
        """Return the keyword arguments of ``QualityMonitor`` that these settings mean.

        Raises:
            SettingsError: the record file is a folder.
        """
        with reading.reported_as(SettingsError):
            file = self.records and RecordFile(**asdict(self.records))
        return {
            "policy": self.policy,
            "records": file,
            "costs": self.costs,
            "retention": self.retention,
            "per_call_series": self.per_call_series,
            "log": self.log,
            "max_live_calls": self.max_live_calls,
            "expire_after": self.expire_after,
            "sampling": Sampling(self.level_every, self.noise_every),
        }


def load_settings(
    path: str | os.PathLike[str] | None = None, environ: Mapping[str, str] = os.environ
) -> Settings:
    """Return the settings of a TOML file, with the environment's variables over them.

    Args:
        path: The file; None is the one that ``AI_ENGINE_QUALITY_CONFIG`` names, if any.
        environ: The variables; ``AI_ENGINE_QUALITY_RECORDS_PATH`` sets ``path`` in ``[records]``.

    Raises:
        SettingsError: the file can't be read, or a setting can't be used.
    """
    place = path if path is not None else environ.get(CONFIG_VARIABLE) or None
    data = _read_toml(Path(place)) if place is not None else {}
    with reading.reported_as(SettingsError, "settings" if place is None else str(place)):
        _check_sections(data)
        merged = _with_variables(data, environ)
        return Settings(**reading.fields("", merged, _READERS, optional=True, what="the settings"))


def _check_sections(data: Mapping[str, Any]) -> None:
    """Refuse what stands beside ``[policy]`` and belongs into it, as in a policy's own file."""
    for key in data:
        if key in _POLICY_PARTS:
            where = "policy.base" if key == "version" else f"policy.{key}"
            raise reading.WrongValue(f"{key} is a part of the policy; write it as {where}")


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:  # a ValueError: no file can have such a name
        raise SettingsError(f"{path}: can't be read ({error}); fix the path") from error
    if len(content) > MAX_FILE_BYTES:
        raise SettingsError(
            f"{path}: longer than {MAX_FILE_BYTES} bytes; this isn't a settings file"
        )
    lines = (line for line in content.splitlines() if not line.lstrip().startswith(b"#"))
    dots = [line.count(b".") for line in lines]
    if max(dots, default=0) > MAX_DOTS_IN_LINE or sum(dots) > MAX_DOTS:
        raise SettingsError(
            f"{path}: more than {MAX_DOTS_IN_LINE} dots in a line, or {MAX_DOTS} in all; "
            "this isn't a settings file"
        )
    try:
        return tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:  # a ValueError: a number of 5,000 digits, too
        raise SettingsError(f"{path}: not TOML in UTF-8: {error}") from error


# Readers, which take a key and its value.


def _policy(key: str, value: object) -> Policy:
    """Read ``[policy]``: a base version, and what differs from it."""
    if isinstance(value, str):
        raise reading.WrongValue(f"{key} is a table; write {key}.base = {reading.shown(value)}")
    changes = dict(reading.table(key, value))
    base = _base(f"{key}.base", changes.pop("base", DEFAULT_POLICY.version))
    if changes.get("version") in versions():
        raise reading.WrongValue(
            f"{key}.version names a policy of your own, so choose another name; "
            f"write {key}.base for the {changes['version']} that ships"
        )
    try:
        return base.with_changes(changes) if changes else base
    except PolicyError as error:
        raise reading.WrongValue(f"{key}: {error}") from error


def _base(key: str, value: object) -> Policy:
    try:
        return Policy.load(reading.line(key, value))
    except PolicyError as error:
        raise reading.WrongValue(f"{key}: {error}") from error


def _records(key: str, value: object) -> Records:
    given = reading.fields(key, value, _RECORDS, optional=True)  # first: "pth" is a slip of the pen
    if "path" not in given:
        raise reading.WrongValue(
            f"{key}.path is missing; name the record file, or leave [{key}] out"
        )
    return Records(**given)


def _costs(key: str, value: object) -> dict[str, CallCost]:
    tables = reading.entries(key, value)
    costs = {}
    for provider, rate in tables.items():
        fields = reading.fields(f"{key}.{provider}", rate, COST, optional=False)
        costs[provider] = CallCost(**fields)
    return by_provider(costs)


def _retention(key: str, value: object) -> Retention:
    for gone in _GONE:
        if gone in reading.table(key, value):
            raise reading.WrongValue(f"{key}.{gone} {_GONE_WHY}; leave it out")
    return Retention(**reading.fields(key, value, RETENTION, optional=True))


_POLICY_PARTS = frozenset(part.name for part in fields(Policy))

_GONE = ("min_collections", "min_seconds")
_GONE_WHY = "is no setting any more: a sample stays for max_seconds, whoever collects it"

_RECORDS: dict[str, reading.Reader] = {"path": file_path, **SIZES, "certainty": reading.flag}

_PLAIN: dict[str, reading.Reader] = {
    "per_call_series": reading.flag,
    "log": reading.flag,
    **LIMITS,
    **SAMPLING,
}

_READERS: dict[str, reading.Reader] = {
    "policy": _policy,
    "records": _records,
    "costs": _costs,
    "retention": _retention,
    **_PLAIN,
}

_TEXT_KEYS = (("policy", "base"), ("records", "path"))


def _variables() -> dict[str, tuple[tuple[str, ...], reading.Reader]]:
    """Return each variable, the key in the file that it stands for, and how it is read."""
    found: dict[tuple[str, ...], reading.Reader] = {(key,): read for key, read in _PLAIN.items()}
    found["policy", "base"] = _base
    found |= {("records", key): read for key, read in _RECORDS.items()}
    found |= {("retention", key): read for key, read in RETENTION.items()}
    return {_variable(key): (key, read) for key, read in found.items()}


def _variable(key: tuple[str, ...]) -> str:
    words = ("policy",) if key == ("policy", "base") else key
    return ENVIRONMENT_PREFIX + "_".join(words).upper()


VARIABLES = {variable: ".".join(key) for variable, (key, _) in _variables().items()}
"""Each variable of the environment, and the key in the file that it stands for."""


def _with_variables(data: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the file's data with the environment's variables over it."""
    known = _variables()
    merged = dict(data)
    for variable in sorted(environ):
        if not variable.startswith(ENVIRONMENT_PREFIX) or variable == CONFIG_VARIABLE:
            continue
        if variable in _GONE_VARIABLES:
            raise SettingsError(f"{variable} {_GONE_WHY}; unset it")
        if variable not in known:
            raise SettingsError(f"{variable} is unknown; choose one of {', '.join(sorted(known))}")
        key, read = known[variable]
        value = environ[variable] if key in _TEXT_KEYS else _value(environ[variable])
        with reading.reported_as(SettingsError):
            read(variable, value)  # raises with the variable's name, before the file's name could
        _put(merged, key, value)
    return merged


_GONE_VARIABLES = {_variable(("retention", key)) for key in _GONE}


def _value(text: str) -> object:
    """Return what TOML would read: a number, true or false; any other text as it is."""
    if len(text) > MAX_VARIABLE_LENGTH:
        return text
    try:
        read = tomllib.loads(f"value = {text.strip().lower()}")
    except ValueError:
        return text
    return read["value"] if len(read) == 1 else text


def _put(data: dict[str, Any], key: tuple[str, ...], value: object) -> None:
    for name in key[:-1]:
        data[name] = dict(reading.table(name, data.get(name, {})))
        data = data[name]
    data[key[-1]] = value
