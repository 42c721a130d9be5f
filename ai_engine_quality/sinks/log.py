"""One structured event per call, and a warning a minute for whatever keeps going wrong.

Events go where the program has configured structlog to send them. Where it has configured nothing,
they go to stderr: structlog by itself prints to stdout, which may be the program's result.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context
from functools import cache, partial
from logging import INFO
from typing import Any, Final

import structlog

from ai_engine_quality.core.result import CallScore
from ai_engine_quality.core.wording import printable
from ai_engine_quality.live.background import BackgroundWriter

LOGGER: Final = "ai_engine_quality"
"""The logger's name, by which a configuration can route its events."""

SECONDS_BETWEEN_WARNINGS = 60.0
MAX_LINES = 1_000
"""Calls that wait to be logged; further ones are not logged, and counted."""

MAX_SUBJECTS = 1_000
"""Warnings that are remembered, so that each is logged once a minute."""

Unlogged = Callable[[BaseException | None], None]
"""Told that an event was not logged, and why; no exception: there was no room."""


def library_log() -> Any:
    """Return the logger for an event of now; structlog's configuration is read, never changed."""
    if structlog.is_configured():
        return structlog.get_logger(LOGGER)
    stream = sys.stderr
    if stream is None or getattr(stream, "closed", False):  # a service's, say: nobody reads it
        return structlog.wrap_logger(structlog.ReturnLogger(), processors=[])
    return structlog.wrap_logger(
        structlog.PrintLogger(stream),
        processors=_processors(colours=_is_terminal(stream) and not os.environ.get("NO_COLOR")),
        wrapper_class=structlog.make_filtering_bound_logger(INFO),
        context_class=dict,
        cache_logger_on_first_use=False,
    )


def _log_of(logger: Any) -> Any:
    """Return a logger that was given, or the library's for an event of now."""
    return library_log() if logger is None else logger


def _is_terminal(stream: Any) -> bool:
    return hasattr(stream, "isatty") and bool(stream.isatty())


@cache
def _processors(*, colours: bool) -> list[Any]:
    """Return what makes an event a line for people, as structlog does by itself."""
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S", utc=False),
        structlog.dev.ConsoleRenderer(colors=colours),
    ]


class LogSink:
    """Logs ``call_quality_scored`` for each call. Names that the operator chose, and numbers.

    The words are made, rendered and written by the background writer.
    """

    def __init__(self, writer: BackgroundWriter, on_unlogged: Unlogged, logger: Any = None) -> None:
        self._writer = writer
        self._on_unlogged = on_unlogged
        self._logger = logger
        self.begin_anew()

    def begin_anew(self) -> None:
        """Leave what waits to the parent: in a forked child."""
        self._waiting: deque[tuple[Context, CallScore]] = deque()

    def __call__(self, score: CallScore) -> None:
        """Hand over a call that has ended, with what the engine's log is bound to just now."""
        if len(self._waiting) >= MAX_LINES:
            self._on_unlogged(None)
            return
        self._waiting.append((copy_context(), score))
        if not self._writer.put(self._write_next):
            self._waiting.pop()
            self._on_unlogged(None)

    def _write_next(self) -> None:
        try:
            context, score = self._waiting.popleft()
            context.run(self._log, score)
        except BaseException as error:
            self._on_unlogged(error)

    def _log(self, score: CallScore) -> None:
        summary = score.summary
        standing = {"standing": str(score.standing)} if score.standing else {}
        _log_of(self._logger).info(
            "call_quality_scored",
            call_id=score.call_id,
            score=score.score,
            band=score.band.value if score.band else None,
            unscored_reason=score.unscored_reason,
            provider=summary.provider,
            pipeline=summary.pipeline,
            outcome=summary.outcome,
            duration=summary.duration,
            turns=score.turns,
            coverage=score.coverage,
            policy=score.policy_version,
            explanation=score.explain(),
            **standing,
        )


def _traceback(error: BaseException) -> str:
    """Return a traceback as text: a renderer's pretty one can hold the loop for 100 ms.

    An exception's text may be a provider's, so nothing in it steers the terminal of a log.
    """
    return printable("".join(traceback.format_exception(error)))


class Warnings:
    """Warnings of the library about itself: once per event, subject and minute."""

    def __init__(
        self,
        clock: Callable[[], float],
        writer: BackgroundWriter,
        on_unlogged: Unlogged,
        logger: Any = None,
    ) -> None:
        self._clock = clock
        self._writer = writer
        self._on_unlogged = on_unlogged
        self._logger = logger
        self._last: dict[tuple[str, str], float] = {}
        self._suppressed: dict[tuple[str, str], int] = {}

    def warn(
        self, event: str, subject: str, error: BaseException | None = None, **fields: Any
    ) -> None:
        """Log a warning, unless the same one was logged within a minute; never raises."""
        key = (event, subject)
        now = self._clock()
        last = self._last.get(key)
        if last is not None and 0 <= now - last < SECONDS_BETWEEN_WARNINGS:  # a clock may go back
            self._suppressed[key] = self._suppressed.get(key, 0) + 1
            return
        if len(self._last) >= MAX_SUBJECTS:
            self._last.clear()
            self._suppressed.clear()
        self._last[key] = now
        since_last = self._suppressed.pop(key, 0) + 1
        job = partial(copy_context().run, self._write, key, since_last, error, fields)
        if not self._writer.put(job):
            self._on_unlogged(None)

    def _write(
        self,
        key: tuple[str, str],
        since_last: int,
        error: BaseException | None,
        fields: dict[str, Any],
    ) -> None:
        event, subject = key
        try:
            if error is not None:
                fields = {**fields, "traceback": _traceback(error)}
            _log_of(self._logger).warning(
                event, subject=subject, since_last_warning=since_last, **fields
            )
        except BaseException:
            # A broken logger must not reach the engine; the counters still tell.
            self._suppressed[key] = self._suppressed.get(key, 0) + since_last
