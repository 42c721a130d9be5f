"""What is usual for a provider: its latest scores in this process, and where a new one stands.

Kept in memory only, so that it begins anew with the process; the record files have the history.
"""

from __future__ import annotations

from threading import RLock

from ai_engine_quality.core.result import Standing
from ai_engine_quality.live.recent import Recent
from ai_engine_quality.live.sections import SECTIONS

CALLS = 500
"""Calls of a provider that a new one is compared with."""

MIN_CALLS = 20
"""Fewer are no baseline."""

MAX_PROVIDERS = 50
"""As many as have label values of their own."""


class Baseline:
    """The latest scores, provider by provider."""

    def __init__(self) -> None:
        self._scores: dict[str, Recent] = {}
        self.begin_anew()

    def begin_anew(self) -> None:
        """In a forked child: the lock may be held by a thread that isn't there."""
        self._placing = RLock()  # a scrape may end an overdue call in a thread of its own

    def place(self, provider: str | None, score: int) -> Standing | None:
        """Return where a score stands among the provider's calls before it, and remember it.

        None for a provider with fewer than 20 calls, for an unknown one, and beyond 50 of them.
        """
        if provider is None:
            return None
        with SECTIONS, self._placing:
            latest = self._scores.get(provider)
            if latest is None:
                if len(self._scores) >= MAX_PROVIDERS:
                    return None
                latest = self._scores[provider] = Recent(CALLS)
            standing = _standing(latest, provider, score)
            latest.add(score)
        return standing


def _standing(latest: Recent, provider: str, score: int) -> Standing | None:
    calls = len(latest)
    if calls < MIN_CALLS:
        return None
    worse_than, better_than = (calls - latest.up_to(score)) / calls, latest.under(score) / calls
    return Standing(provider, calls, round(worse_than, 4), round(better_than, 4))
