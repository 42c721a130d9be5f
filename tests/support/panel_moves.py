"""Which panel each fault of the reference engine moves, and how."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

Values = list[float]
"""What one series of a panel shows, oldest first; empty where it isn't there."""


@dataclass(frozen=True)
class Crosses:
    """From one side of a threshold that the panel draws to the other."""

    threshold: float

    def __call__(self, faulty: Values, healthy: Values) -> bool:
        """Whether the two lie on different sides."""
        return bool(faulty and healthy) and (
            (statistics.median(faulty) >= self.threshold)
            != (statistics.median(healthy) >= self.threshold)
        )


@dataclass(frozen=True)
class Times:
    """So many times as much, at the least, or what was not there at all."""

    factor: float

    def __call__(self, faulty: Values, healthy: Values) -> bool:
        """Whether the mean rose by the factor."""
        before = statistics.fmean(healthy) if healthy else 0.0
        return bool(faulty) and statistics.fmean(faulty) > self.factor * before + 1e-9


def appears(faulty: Values, healthy: Values) -> bool:
    """Over 0 with the fault, nothing or 0 without."""
    return max(faulty, default=0) > 0 and max(healthy, default=0) == 0


def vanishes(faulty: Values, healthy: Values) -> bool:
    """Nothing or 0 with the fault, over 0 without."""
    return appears(healthy, faulty)


def falls(faulty: Values, healthy: Values) -> bool:
    """Clearly lower: a fifth at least."""
    return bool(faulty and healthy) and statistics.fmean(faulty) < 0.8 * statistics.fmean(healthy)


MOVES = [
    ("slow_provider", "call-quality/Turn response", "p95", Crosses(2)),
    ("slow_provider", "provider-performance/Turn response by provider", "deepgram", Crosses(2)),
    ("slow_provider", "provider-performance/Providers side by side/C", "", Crosses(2)),
    ("slow_provider", "call-quality/Points lost by factor", "latency", Times(2)),
    ("slow_provider", "call-quality/Worst calls/A", "", Crosses(75)),
    ("jitter", "call-quality/Underflow rate", "", Times(3)),
    ("jitter", "call-quality/Underflow ratio", "", Crosses(0.025)),
    ("jitter", "call-quality/Jitter buffer dry", "", Times(1.2)),
    ("jitter", "call-quality/Points lost by factor", "underflow", Times(3)),
    ("transport_fallbacks", "call-quality/Streaming fallbacks", "", appears),
    ("transport_fallbacks", "conversation-flow/End reasons", "transport-failure", appears),
    ("transport_fallbacks", "call-quality/Points lost by factor", "fallback", appears),
    ("wrong_codec", "audio-quality/Codec alignment", "deepgram", vanishes),
    ("wrong_codec", "provider-performance/Deepgram codec alignment", "deepgram", vanishes),
    ("wrong_codec", "audio-quality/RMS by stage", "provider_out", Times(2)),
    ("wrong_codec", "audio-quality/Noise found by the scorer", "", appears),
    ("wrong_codec", "audio-quality/Noise over time", "deepgram", appears),
    ("wrong_codec", "system-overview/Calls lost", "", appears),
    ("wrong_codec", "provider-performance/Failures by cause", "deepgram: noise", appears),
    ("byte_swapped", "audio-quality/Noise found by the scorer", "", appears),
    ("byte_swapped", "system-overview/Calls lost", "", appears),
    ("byte_swapped", "system-overview/Quality now", "poor calls", Crosses(0.1)),
    ("byte_swapped", "system-overview/Quality now", "worst: deepgram", appears),
    ("quiet_agent", "audio-quality/Agent level", "", falls),
    ("quiet_agent", "audio-quality/RMS by stage", "provider_out", falls),
    ("quiet_agent", "audio-quality/Points lost for the level", "deepgram", Times(2)),
    ("dead_provider", "call-quality/Turn response", "p95", vanishes),
    ("dead_provider", "provider-performance/Failures by cause", "deepgram: unanswered", appears),
    ("dead_provider", "conversation-flow/Time by state", "processing", Times(1.1)),
    ("dead_provider", "conversation-flow/Conversation state timeline", "", Crosses(3.5)),
    ("dead_provider", "system-overview/Quality now", "worst: deepgram", appears),
    # The median, and small factors: a busy machine makes the healthy engine late as well.
    ("late_barge_in", "conversation-flow/Barge-in reaction", "p50", Times(1.25)),
    ("late_barge_in", "call-quality/Points lost by factor", "barge_in", Times(1.1)),
    ("low_vad_confidence", "conversation-flow/Sure of speech", "", falls),
    ("low_vad_confidence", "conversation-flow/Voice detector's threshold", "", Times(1.5)),
    ("audiosocket_loss", "conversation-flow/Conversation state timeline", "", Crosses(2.5)),
    ("audiosocket_loss", "system-overview/AudioSocket connections", "connections", vanishes),
    (
        "audiosocket_loss",
        "audio-quality/AudioSocket bytes per connection",
        "rx, from the caller",
        vanishes,
    ),
    ("engine_stop", "system-overview/Health", "", vanishes),
    ("engine_stop", "system-overview/Samples per scrape", "", vanishes),
    ("engine_stop", "system-overview/Active calls over time", "", vanishes),
    ("engine_stop", "system-overview/AudioSocket connections", "connections", vanishes),
]
"""(fault, panel and perhaps its query, series; "" is all of them, how it moves)."""
