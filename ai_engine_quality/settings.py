"""Settings of a deployment: a TOML file, and ``AI_ENGINE_QUALITY_*`` variables over it.

Every mistake is an error that names the key, where it stands and what it should be: a threshold
that is silently ignored would be worse than none.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ai_engine_quality.core.observations import name as normalised_name
from ai_engine_quality.core.policy import DEFAULT_POLICY, Policy, PolicyError
from ai_engine_quality.core.wording import printable
from ai_engine_quality.live.audio import Sampling
from ai_engine_quality.live.facts import CallCost, Retention
from ai_engine_quality.sinks.records import MAX_RECORD_BYTES, RecordFile

ENVIRONMENT_PREFIX = "AI_ENGINE_QUALITY_"
CONFIG_VARIABLE = "AI_ENGINE_QUALITY_CONFIG"
MAX_FILE_BYTES = 1_000_000


class SettingsError(ValueError):
    """A setting that can't be used; the message names the key, its place and the mend."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message).replace("\n", " "))  # it may repeat what a file holds


@dataclass(frozen=True, slots=True)
class Records:
    """The record file."""

    path: str
    max_bytes: int = 64_000_000
    files: int = 5
    certainty: bool = False
    """Whether each record says how certain its score is."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a deployment sets; the defaults are those of :class:`QualityMonitor`."""

    policy: Policy = DEFAULT_POLICY
    records: Records | None = None
    costs: Mapping[str, CallCost] = field(default_factory=dict)
    retention: Retention = field(default_factory=Retention)
    per_call_series: bool = True
    log: bool = True
    max_live_calls: int = 20_000
    expire_after: float = 4 * 3600.0
    level_every: int = 4
    noise_every: int = 10

    def monitor_arguments(self) -> dict[str, Any]:
        """Return the keyword arguments of :class:`QualityMonitor` that these settings mean."""
        stored = self.records
        return {
            "policy": self.policy,
            "records": stored and RecordFile(**asdict(stored)),
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
    source = _Source(str(place) if place is not None else "settings")
    data = _read_toml(Path(place)) if place is not None else {}
    return _settings(_with_variables(data, environ, source), source)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:  # a ValueError: no file can have such a name
        raise SettingsError(f"{path}: can't be read ({error}); mend the path") from error
    if len(content) > MAX_FILE_BYTES:
        raise SettingsError(
            f"{path}: longer than {MAX_FILE_BYTES} bytes; this isn't a settings file"
        )
    try:
        return tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:  # a ValueError: a number of 5,000 digits, too
        raise SettingsError(f"{path}: not TOML in UTF-8: {error}") from error


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a value stands, to name it in errors."""

    file: str
    path: str = ""

    def at(self, key: str) -> _Source:
        return _Source(self.file, f"{self.path}.{key}" if self.path else key)

    def error(self, mend: str) -> SettingsError:
        return SettingsError(f"{self.file}: {self.path + ': ' if self.path else ''}{mend}")


_Reader = Callable[[Any, _Source], Any]


def _settings(data: Mapping[str, Any], source: _Source) -> Settings:
    return Settings(**_table(data, source, _READERS))


def _table(data: object, source: _Source, readers: Mapping[str, _Reader]) -> dict[str, Any]:
    if not isinstance(data, Mapping):
        raise source.error(f"must be a table, not {data!r}")
    for key in data:
        if key not in readers:
            raise source.at(str(key)).error(f"unknown key; choose one of {', '.join(readers)}")
    return {key: readers[key](value, source.at(key)) for key, value in data.items()}


def _flag(value: object, source: _Source) -> bool:
    if not isinstance(value, bool):
        raise source.error(f"must be true or false, not {value!r}")
    return value


def _whole(value: object, source: _Source) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise source.error(f"must be a whole number over 0, not {value!r}")
    return value


def _number(value: object, source: _Source) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e12:
        raise source.error(f"must be a number, 0 or more, not {value!r}")
    return value


def _seconds(value: object, source: _Source) -> float:
    if not (number := _number(value, source)):
        raise source.error("must be over 0 seconds")
    return number


def _text(value: object, source: _Source) -> str:
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise source.error(f"must be text that is not empty, not {value!r}")
    return value


def _policy(value: object, source: _Source) -> Policy:
    """Read ``[policy]``: a base version, and what differs from it."""
    if not isinstance(value, Mapping):
        raise source.error(f"must be a table, such as [policy.knees], not {value!r}")
    changes = dict(value)
    try:
        base = _policy_version(changes.pop("base", DEFAULT_POLICY.version), source.at("base"))
        return base.with_changes(changes) if changes else base
    except PolicyError as error:
        raise source.error(str(error)) from error


def _policy_version(value: object, source: _Source) -> Policy:
    try:
        return Policy.load(_text(value, source))
    except PolicyError as error:
        raise source.error(str(error)) from error


def _records(value: object, source: _Source) -> Records:
    table = _table(value, source, _RECORD_READERS)
    if "path" not in table:
        raise source.at("path").error("is missing; name the record file, or leave [records] out")
    return Records(**table)


def _record_bytes(value: object, source: _Source) -> int:
    if (number := _whole(value, source)) < MAX_RECORD_BYTES:
        raise source.error(f"must be {MAX_RECORD_BYTES} or more, one record's size, not {number}")
    return number


def _costs(value: object, source: _Source) -> dict[str, CallCost]:
    if not isinstance(value, Mapping):
        raise source.error(f"must hold tables, such as [costs.deepgram], not {value!r}")
    costs = {}
    for provider, entry in value.items():
        place = source.at(provider)
        table = _table(entry, place, {"per_minute": _number, "currency": _currency})
        if missing := sorted({"per_minute", "currency"} - table.keys()):
            raise place.at(missing[0]).error("is missing; a cost has per_minute and currency")
        normalised = normalised_name(provider)
        if normalised is None:
            raise place.error("must be a provider's name, with letters or digits")
        if normalised in costs:
            raise place.error(f"is {normalised}, which has a cost already; leave one of them out")
        costs[normalised] = CallCost(**table)
    return costs


def _currency(value: object, source: _Source) -> str:
    text = _text(value, source)
    if not (len(text) == 3 and text.isascii() and text.isalpha() and text.isupper()):
        raise source.error(f"must be a currency's ISO 4217 code, such as USD, not {value!r}")
    return text


def _retention(value: object, source: _Source) -> Retention:
    return Retention(**_table(value, source, _RETENTION_READERS))


_RECORD_READERS: dict[str, _Reader] = {
    "path": _text,
    "max_bytes": _record_bytes,
    "files": _whole,
    "certainty": _flag,
}

_RETENTION_READERS: dict[str, _Reader] = {
    "max_seconds": _seconds,
    "max_calls": _whole,
}

_PLAIN_READERS: dict[str, _Reader] = {
    "per_call_series": _flag,
    "log": _flag,
    "max_live_calls": _whole,
    "expire_after": _seconds,
    "level_every": _whole,
    "noise_every": _whole,
}

_READERS: dict[str, _Reader] = {
    "policy": _policy,
    "records": _records,
    "costs": _costs,
    "retention": _retention,
    **_PLAIN_READERS,
}

_TEXT_KEYS = (("policy", "base"), ("records", "path"))


def _variables() -> dict[str, tuple[tuple[str, ...], _Reader]]:
    """Return each variable, the key in the file that it stands for, and how it is read."""
    found: dict[tuple[str, ...], _Reader] = {(key,): read for key, read in _PLAIN_READERS.items()}
    found["policy", "base"] = _policy_version
    found |= {("records", key): read for key, read in _RECORD_READERS.items()}
    found |= {("retention", key): read for key, read in _RETENTION_READERS.items()}
    return {_variable(key): (key, read) for key, read in found.items()}


def _variable(key: tuple[str, ...]) -> str:
    words = ("policy",) if key == ("policy", "base") else key
    return ENVIRONMENT_PREFIX + "_".join(words).upper()


VARIABLES = {variable: ".".join(key) for variable, (key, _) in _variables().items()}
"""Each variable of the environment, and the key in the file that it stands for."""


def _with_variables(
    data: Mapping[str, Any], environ: Mapping[str, str], source: _Source
) -> dict[str, Any]:
    """Return the file's data with the environment's variables over it."""
    known = _variables()
    merged = dict(data)
    for variable in sorted(environ):
        if not variable.startswith(ENVIRONMENT_PREFIX) or variable == CONFIG_VARIABLE:
            continue
        place = _Source(variable)
        if variable not in known:
            raise place.error(f"unknown variable; choose one of {', '.join(sorted(known))}")
        key, read = known[variable]
        value = environ[variable] if key in _TEXT_KEYS else _value(environ[variable])
        read(value, place)  # raises with the variable's name, before the file's name could
        _put(merged, key, value, source)
    return merged


def _value(text: str) -> object:
    """Return what TOML would read: a number, true or false; any other text as it is."""
    try:
        read = tomllib.loads(f"value = {text.strip().lower()}")
    except ValueError:
        return text
    return read["value"] if len(read) == 1 else text


def _put(data: dict[str, Any], key: tuple[str, ...], value: object, source: _Source) -> None:
    for table in key[:-1]:
        inner = data.get(table, {})
        if not isinstance(inner, Mapping):
            raise source.at(table).error(f"must be a table, not {inner!r}")
        data[table] = dict(inner)
        data = data[table]
    data[key[-1]] = value
