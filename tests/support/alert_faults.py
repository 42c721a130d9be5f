"""The faults that the live alerts are proved by, and the alerts that each must raise."""

# Engine -> its fault, the alerts that must come of it, and those that may come of it as well.
FAULTS = {
    "slow": ("slow_provider", {"HighTurnResponseLatency"}, set()),
    "crawling": ("slow_provider", {"CriticalTurnResponseLatency"}, {"HighTurnResponseLatency"}),
    "jittery": ("jitter", {"HighUnderflowRate", "JitterBufferUnderrun"}, set()),
    "falling_back": ("transport_fallbacks", {"StreamingFallbacksFrequent"}, set()),
    "misread": ("wrong_codec", {"ProviderCodecMismatch", "CallsFailing"}, {"AgentSpeechLevelOff"}),
    "swapped": ("byte_swapped", {"ProviderCodecMismatch", "CallsFailing"}, {"AgentSpeechLevelOff"}),
    "quiet": ("quiet_agent", {"AgentSpeechLevelOff"}, set()),
    "dead": ("dead_provider", {"ProviderNotAnswering"}, set()),
    "barging_in": ("late_barge_in", {"SlowBargeInReaction"}, set()),
    "hissing": ("low_vad_confidence", {"VADConfidenceLow"}, set()),
    "disconnected": (
        "audiosocket_loss",
        {"AudioSocketConnectionLoss"},
        {"StreamingFallbacksFrequent", "ProviderNotAnswering", "CallsFailing"},
    ),
}
