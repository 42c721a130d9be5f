"""The faults that the live alerts are proved by, and the one alert that is told of each."""

# Engine -> its fault, the alert that is told of it, and those that may fire as well, untold. An
# engine without an alert has no fault that callers could notice.
FAULTS = {
    "slow": ("slow_provider", "HighTurnResponseLatency", set()),
    "crawling": (
        "slow_provider",
        "CriticalTurnResponseLatency",
        {"HighTurnResponseLatency", "ProviderNotAnswering"},
    ),
    "jittery": ("jitter", "HighUnderflowRate", {"JitterBufferUnderrun"}),
    "falling_back": ("transport_fallbacks", "StreamingFallbacksFrequent", set()),
    "misread": ("wrong_codec", "ProviderCodecMismatch", {"CallsFailing", "AgentSpeechDistorted"}),
    "swapped": ("byte_swapped", "ProviderCodecMismatch", {"CallsFailing", "AgentSpeechDistorted"}),
    "quiet": ("quiet_agent", "AgentSpeechLevelOff", set()),
    "dead": ("dead_provider", "ProviderNotAnswering", set()),
    "lost": ("lost_provider", "ProviderNotAnswering", {"CallsFailing"}),
    "barging_in": ("late_barge_in", "SlowBargeInReaction", set()),
    "babbling": ("babble", "FalseInterruptions", {"SlowBargeInReaction"}),
    "hissing": ("low_vad_confidence", "VADConfidenceLow", set()),
    "unheard": ("unheard_callers", "CallersUnheard", set()),
    "dropping": ("dropped_calls", "CallsEndingEarly", set()),
    "leaking": ("leaked_calls", "CallsNeverEnding", set()),
    "bridged": ("bridged_formats", None, set()),
    "disconnected": (
        "audiosocket_loss",
        "AudioSocketConnectionLoss",
        {
            "StreamingFallbacksFrequent",
            "ProviderNotAnswering",
            "CallsFailing",
            "CallersUnheard",
            "CallsEndingEarly",
        },
    ),
    "restarting": ("crash_loop", "EngineRestarting", set()),
}

LIVE = (
    "jittery",
    "falling_back",
    "quiet",
    "dead",
    "barging_in",
    "unheard",
    "dropping",
    "leaking",
    "bridged",
    "disconnected",
    "restarting",
)
"""Engines whose alert fires in minutes, at the few calls that a busy machine places in real time.
The alerts of the others are proved in virtual time, where no machine is too slow."""

MEASURED = {**FAULTS, "gone": ("engine_stop", "HealthEndpointDown", {"EngineRestarting"})}
"""All whose alerts are measured in virtual time."""

ESCALATED = {"CriticalTurnResponseLatency": "HighTurnResponseLatency"}
"""Critical alerts, each with the warning of the same cause that may be told before it fires."""
