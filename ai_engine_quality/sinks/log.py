"""One structured event per call, and a warning a minute for whatever keeps going wrong."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

import structlog

from ai_engine_quality.core.result import CallScore
from ai_engine_quality.core.wording import printable

SECONDS_BETWEEN_WARNINGS = 60.0


class LogSink:
    """Logs ``call_quality_scored`` for each call. Names that the operator chose, and numbers."""

    def __init__(self, logger: Any = None) -> None:
        self._logger = logger if logger is not None else structlog.get_logger("ai_engine_quality")

    def __call__(self, score: CallScore) -> None:
        """Log a call that has ended."""
        summary = score.summary
        standing = {"standing": str(score.standing)} if score.standing else {}
        self._logger.info(
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


def _traceback(error: BaseException | None) -> str | None:
    """Return a traceback as text: a renderer's pretty one can hold the loop for 100 ms.

    An exception's text may be a provider's, so nothing in it steers the terminal of a log.
    """
    return None if error is None else printable("".join(traceback.format_exception(error)))


class Warnings:
    """Warnings of the library about itself: once per event, subject and minute."""

    def __init__(self, clock: Callable[[], float], logger: Any = None) -> None:
        self._clock = clock
        self._logger = logger if logger is not None else structlog.get_logger("ai_engine_quality")
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
        self._last[key] = now
        try:
            self._logger.warning(
                event,
                subject=subject,
                since_last_warning=self._suppressed.pop(key, 0) + 1,
                traceback=_traceback(error),
                **fields,
            )
        except Exception:
            # A broken logger must not reach the engine; the counters still tell.
            self._suppressed[key] = self._suppressed.get(key, 0) + 1
