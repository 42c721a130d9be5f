"""Where the time of a turn went, where somebody tells: the engine itself measures whole turns only.

* Deepgram's voice agent reports the stages of each turn, and the engine passes its report by.
* A pipeline's adapters serve one call each: what they are asked, and when, is that call's.
* A model that takes speech and gives speech is one stage, and the engine has its time.
* The time of each tool is in the session's list.

ElevenLabs, Google Live and the local server tell nothing of the kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

from ai_engine_quality.adapters.ava.call_stages import Thought, tools_between
from ai_engine_quality.adapters.ava.calls import ObservedCall
from ai_engine_quality.adapters.ava.context import EngineContext
from ai_engine_quality.adapters.report import tried
from ai_engine_quality.adapters.wraps import After, Before, Wraps

REPORT = "LatencyReport"
REPORTED = {"stt": "stt_latency", "llm": "ttt_text_latency", "tts": "tts_latency"}
"""Deepgram's message and its fields, by stage (developers.deepgram.com, "Latency Report")."""

MESSAGES = "_extract_request_session_ids"
"""Of Deepgram's provider: is handed each message, and none of the audio."""

SPEECH_TO_SPEECH = frozenset({"OpenAIRealtimeProvider", "GrokProvider"})
"""Providers that are one model, and whose clock starts where the caller's turn has ended. Google's
starts with the last piece of its transcript, so that it holds some of that wait too."""


class _Method(NamedTuple):
    """A method that is watched for one call."""

    owner: Any
    name: str
    coroutine: bool
    before: Before
    after: After | None = None


class StageObserver:
    """Reports the stages of each call's turns."""

    def __init__(self, context: EngineContext, wraps: Wraps) -> None:
        self._context = context
        self._wraps = wraps
        self._serving: dict[str, tuple[Any, list[_Method]]] = {}
        """By call id, its own provider or pipeline, and what is watched of it."""

    def find(self, call: ObservedCall) -> None:
        """Listen to the call's own provider, or to its pipeline, once it is there."""
        pipelines = getattr(self._context.engine, "pipeline_orchestrator", None)
        assigned = getattr(pipelines, "_assignments", None) or {}
        serving = self._context.provider(call.call_id) or assigned.get(call.call_id)
        known, _ = self._serving.get(call.call_id, (None, None))
        if serving is None or serving is known:
            return
        self.forget(call.call_id)
        methods = self._methods(call, serving)
        self._serving[call.call_id] = serving, [each for each in methods if self._watch(each)]

    def _methods(self, call: ObservedCall, serving: Any) -> list[_Method]:
        if not hasattr(serving, "llm_adapter"):
            return [
                _Method(serving, MESSAGES, coroutine=False, before=partial(self._message, call))
            ]
        asked, voiced = partial(self._asked, call), partial(self._voiced, call)
        model, thought = serving.llm_adapter, partial(self._thought, call)
        return [
            _Method(model, "generate", coroutine=True, before=asked, after=thought),
            _Method(model, "generate_stream", coroutine=False, before=asked),
            _Method(serving.tts_adapter, "synthesize", coroutine=False, before=voiced),
        ]

    def _watch(self, it: _Method) -> bool:
        """Watch a method whatever its arguments are called; return whether it is watched."""
        return tried(
            "",
            lambda: self._wraps.set(
                it.owner, it.name, None, coroutine=it.coroutine, before=it.before, after=it.after
            ),
        ).live

    def forget(self, call_id: str) -> None:
        """Leave what served a call alone."""
        for method in self._serving.pop(call_id, (None, ()))[1]:
            self._wraps.leave(method.owner, method.name)

    # Deepgram's agent.

    def _message(self, call: ObservedCall, args: tuple[Any, ...], _: object) -> None:
        event = args[0]
        if event.get("type") == REPORT:
            self._report(call, event)
        elif event.get("type") == "ConversationText" and event.get("role") == "user":
            call.stages.waits = True

    def answer_begins(self, call: ObservedCall) -> None:
        """Take the first audio of an answer."""
        call.stages.answer_began, call.stages.waits = self._context.now(), False

    def _report(self, call: ObservedCall, event: Mapping[str, Any]) -> None:
        """Take a report, which comes about when the answer begins, or after it."""
        began = call.stages.answer_began
        at = self._context.now() if began is None or call.stages.waits else began
        for stage, name in REPORTED.items():
            if isinstance(seconds := event.get(name), (int, float)):
                call.handle.turn_stage(stage, seconds, at=at)

    # A pipeline.

    def _asked(self, call: ObservedCall, _args: object, _how: object) -> None:
        said = self._context.transcript_time(call.call_id)
        call.stages.asked(self._context.now(), said, self._context.wall() - said)

    def _thought(self, call: ObservedCall, *_: object) -> None:
        call.stages.answered(self._context.now())

    def _voiced(self, call: ObservedCall, _args: object, _how: object) -> None:
        call.stages.voiced(self._context.now())

    # By the latencies that the engine measures.

    def turn(self, call: ObservedCall, seconds: float) -> None:
        """Take a turn's latency, by the engine."""
        context, stages = self._context, call.stages
        thought, stages.thought = stages.thought, None
        at = stages.answer_began or context.now()
        if thought is not None:  # from the question to the model until the voice's first sound
            at = thought.asked + seconds
            self._pipeline_s(call, thought, seconds, at)
        until = context.wall() - context.now() + at
        tools = tools_between(getattr(call.session, "tool_calls", None), until - seconds, until)
        if tools:
            call.handle.turn_stage("tool", tools, at=at)
        if type(context.provider(call.call_id)).__name__ in SPEECH_TO_SPEECH:
            call.handle.turn_stage("llm", max(0.0, seconds - tools), at=at)

    def _pipeline_s(self, call: ObservedCall, thought: Thought, seconds: float, at: float) -> None:
        llm, tts = self._key(call, "llm"), self._key(call, "tts")
        if thought.end_of_turn is not None:
            call.handle.turn_stage("end_of_turn", thought.end_of_turn, at=at)
        call.handle.turn_stage("llm", thought.llm, llm, at=at)
        call.handle.turn_stage("tts", max(0.0, seconds - thought.llm), tts, at=at)

    def _key(self, call: ObservedCall, stage: str) -> str | None:
        """Return whose a pipeline's adapter is: ``openai`` of the engine's ``openai_llm``."""
        pipeline, _ = self._serving.get(call.call_id, (None, None))
        key = getattr(pipeline, f"{stage}_key", None)
        return key.removesuffix(f"_{stage}") if isinstance(key, str) else None
