"""How providers do: `healthy`, a deployment as it should be, and `measured`, as real calls were.

The two are never mixed: an engine has one profile, and every result says which.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from ai_engine_lab.basics.audio_formats import AudioFormat
from ai_engine_lab.engine.measured import MeasuredCall, measured_calls, starving_share
from ai_engine_lab.engine.plans import PlannedCall
from ai_engine_lab.engine.provider import Behaviour, Delivery


class Profile(Protocol):
    """Draws how the provider does in each call."""

    @property
    def name(self) -> str:
        """What results call it."""

    def behaviour(self, plan: PlannedCall, rng: random.Random) -> Behaviour:
        """The provider's behaviour in one call."""


_AMPLE: Final = Delivery(pace=2.5, jitter=0.3)
"""Audio comes far faster than it is spoken, so that the jitter buffer only grows."""

_STALL_SECONDS: Final = 0.1
_FILLERS_PER_STALL: Final = _STALL_SECONDS / 0.02


@dataclass
class HealthyBehaviour:
    """A fast provider with ample bursts."""

    rng: random.Random
    latency: tuple[float, float]
    """Seconds, from and to."""
    audio_format: AudioFormat | None = None

    def response_latency(self) -> float | None:
        """Seconds until its first audio."""
        return self.rng.uniform(*self.latency)

    def delivery(self) -> Delivery:
        """Far faster than speech."""
        return _AMPLE


@dataclass(frozen=True)
class HealthyProfile:
    """A deployment as it should be.

    To notice that the caller has finished takes the engine another half second, which the caller
    waits too.
    """

    name: str = "healthy"
    simple_latency: tuple[float, float] = (0.10, 0.33)
    demanding_latency: tuple[float, float] = (0.15, 0.42)

    def behaviour(self, plan: PlannedCall, rng: random.Random) -> Behaviour:
        """Fast in every call, a little less so for demanding questions."""
        demanding = plan.scenario.demanding
        return HealthyBehaviour(rng, self.demanding_latency if demanding else self.simple_latency)


@dataclass
class MeasuredBehaviour:
    """A provider that does as in one real call."""

    rng: random.Random
    latency_source: MeasuredCall
    delivery_source: MeasuredCall
    starving_share: float
    audio_format: AudioFormat | None = None

    def response_latency(self) -> float | None:
        """Seconds until its first audio, as in the real call."""
        return self.latency_source.draw_latency(self.rng)

    def delivery(self) -> Delivery:
        """Bursts that make about as many fillers as the real call had."""
        source = self.delivery_source
        if not source.underflows:
            return _AMPLE
        # In the calls recorded as bad the audio was slower than speech throughout; else it stalled.
        if source.verdict == "bad":
            return Delivery(pace=1 - self.starving_share, jitter=0.1)
        stalls = source.fillers_per_speech_second / _FILLERS_PER_STALL
        # Hardly faster than speech, so that there is no reserve to hide a stall behind.
        return Delivery(pace=1.002, stalls_per_second=stalls, stall_seconds=_STALL_SECONDS)


@dataclass(frozen=True)
class MeasuredProfile:
    """Every call does as a real call of the same provider did, drawn at random.

    A provider that was never recorded takes after any call. Where the record of the drawn call
    lacks latencies, they come from another call of the provider; where it lacks underflows, it had
    none.
    """

    name: str = "measured"
    calls: Sequence[MeasuredCall] = ()

    def behaviour(self, plan: PlannedCall, rng: random.Random) -> Behaviour:
        """As in one real call."""
        records = self.calls or measured_calls()
        names = {plan.provider.name, plan.pipeline or plan.provider.name}
        mine = [call for call in records if call.provider in names] or list(records)
        drawn = rng.choice(mine)
        timed = [drawn] if drawn.has_latency else [call for call in mine if call.has_latency]
        timed = timed or [call for call in records if call.has_latency]
        return MeasuredBehaviour(rng, rng.choice(timed), drawn, starving_share(records))


HEALTHY: Final = HealthyProfile()
MEASURED: Final = MeasuredProfile()
PROFILES: Final[dict[str, Profile]] = {profile.name: profile for profile in (HEALTHY, MEASURED)}
