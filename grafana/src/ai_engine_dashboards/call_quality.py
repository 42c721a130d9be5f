"""Call Quality: how good are the calls, what costs the points, and which were the worst?"""

from __future__ import annotations

from grafana_foundation_sdk.models import dashboard as model

from ai_engine_dashboards import latency, playback, quality
from ai_engine_dashboards.layout import Placed, Row, dashboard

UID = "ai-engine-call-quality"


def build() -> model.Dashboard:
    """The dashboard, from state to detail."""
    return dashboard(
        UID,
        "Call Quality",
        "How good the calls are, what costs the points, and which calls were the worst.",
        [
            Row(
                "State",
                [
                    Placed(quality.mean_score(), 4, 7),
                    Placed(quality.calls_by_band(), 5, 7),
                    Placed(quality.points_lost(), 7, 7),
                    Placed(quality.live_calls(), 5, 7),
                    Placed(quality.coverage(), 3, 7),
                ],
            ),
            Row(
                "Quality",
                [
                    Placed(quality.score_over_time(), 12, 8),
                    Placed(quality.worst_calls(), 12, 8),
                ],
            ),
            Row(
                "Errors",
                [
                    Placed(playback.underflow_rate(), 8, 7),
                    Placed(playback.underflow_ratio(), 8, 7),
                    Placed(playback.streaming_fallbacks(), 8, 7),
                ],
            ),
            Row(
                "Latency",
                [
                    Placed(latency.turn_response(), 8, 7),
                    Placed(latency.stt_to_tts(), 8, 7),
                    Placed(latency.barge_in_reaction(), 8, 7),
                ],
            ),
            Row(
                "Buffer",
                [
                    Placed(playback.jitter_buffer_depth(), 12, 7),
                    Placed(playback.jitter_buffer_dry(), 12, 7),
                ],
            ),
            Row(
                "What cost the points, in detail",
                [
                    Placed(quality.points_lost_over_time(), 12, 8),
                    Placed(quality.bands_over_time(), 12, 8),
                    Placed(quality.held_down(), 24, 8),
                ],
                collapsed=True,
            ),
        ],
    )
