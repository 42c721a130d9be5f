"""What each reason to drop something means, and what to do: for the log and the handbook."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ai_engine_quality.core.call import MAX_STAGES
from ai_engine_quality.core.observations import MAX_CALL_ID_LENGTH, TURN_STAGES, DropReason
from ai_engine_quality.live.encodings import MAX_FRAME_SECONDS, SAMPLE_RATES

FIXES: Final[Mapping[DropReason, str]] = {
    DropReason.WRONG_TYPE: "a value of another type: pass numbers as numbers, names as text, "
    "True or False as bool",
    DropReason.NOT_FINITE: "NaN or infinity: report nothing where nothing is known",
    DropReason.NEGATIVE: "a number under 0: subtract times of one monotonic clock",
    DropReason.OUT_OF_RANGE: "a number larger than it can be: look at its unit, such as "
    "milliseconds for seconds",
    DropReason.BAD_CALL_ID: f"a call id that isn't 1 to {MAX_CALL_ID_LENGTH} printable characters",
    DropReason.UNKNOWN_CALL: "no call of this id is live: call call_started() first, with the "
    "same id",
    DropReason.CALL_ENDED: "it came after call_ended(), or the call was begun or ended again: a "
    "few late ones are usual",
    DropReason.ALREADY_STARTED: "call_started() for a live call: give each call its own id",
    DropReason.TOO_MANY_CALLS: "as many calls are live as may be: end each by call_ended(), or "
    "raise max_live_calls",
    DropReason.UNKNOWN_STAGE: "no such stage: frames pass transport_in, provider_in, provider_out, "
    f"transport_out or transport_out:KIND; a turn has {', '.join(TURN_STAGES)}",
    DropReason.TOO_MANY_STAGES: f"over {MAX_STAGES} stages in one call: use fewer kinds in "
    "transport_out:KIND",
    DropReason.UNKNOWN_ENCODING: "no such encoding: pass ulaw, alaw or slin16",
    DropReason.UNKNOWN_SAMPLE_RATE: "no such sample rate: pass one of "
    f"{', '.join(map(str, SAMPLE_RATES))}",
    DropReason.FRAME_EMPTY: "a frame without audio: report none",
    DropReason.FRAME_ODD_LENGTH: "half a sample: a sample of slin16 has two bytes",
    DropReason.FRAME_OVERSIZED: f"a frame of over {MAX_FRAME_SECONDS:g} s: report each as it "
    "passes",
    DropReason.EXPIRED_CALL: "a call whose end never came: see that call_ended() is reached, also "
    "after an exception",
    DropReason.COUNTED_AS_OTHER: "a call of more providers and pipelines than are told apart: "
    "its score is right, its labels are 'other'",
    DropReason.NOT_ENDED_IN_TIME: "a call that was live when the process stopped, with no time "
    "left to score it: let calls end first",
    DropReason.SAMPLE_EVICTED: "a score that gave way to newer ones within a minute: scrape more "
    "often, or raise max_calls in [retention]",
    DropReason.RECORD_NOT_WRITTEN: "a record that could not be written: look at the file's "
    "folder, its rights and the disk",
    DropReason.LOG_NOT_WRITTEN: "a log event that could not be written, or waited behind too many",
    DropReason.INTERNAL_ERROR: "a fault of the library's: report it with its traceback, which is "
    "in the log",
}
"""By reason. Metrics and the log have the reason as its name."""

SLOW_HOOK_FIX: Final = (
    "a hook that held the engine's loop for too long: hand its work to a thread; one of yours is "
    "run no more after five such runs"
)
