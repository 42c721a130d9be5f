"""Which services a pipeline is made of, and whose they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from ai_engine_quality.adapters.one_call import own_name

STAGES = {"STTService": "stt", "LLMService": "llm", "TTSService": "tts"}
"""Pipecat's own classes, and the stage of a turn that each is."""

INPUT, OUTPUT = "BaseInputTransport", "BaseOutputTransport"

_SERVICES = "pipecat.services."


class Service(NamedTuple):
    """One service of a pipeline."""

    stage: str
    """``stt``, ``llm`` or ``tts``."""
    provider: str
    model: str | None
    name: str | None
    """By which its measurements name it."""


def kinds(of: type) -> frozenset[str]:
    """Return the names of a class and of those that it derives from."""
    return frozenset(each.__name__ for each in of.__mro__)


def processors(of: Any) -> Iterator[Any]:
    """Yield every processor of a pipeline, of nested ones too."""
    for each in getattr(of, "processors", None) or ():
        yield each
        yield from processors(each)


def of_kind(pipeline: Any, kind: str) -> list[Any]:
    """Return a pipeline's processors of a kind, such as its output transports."""
    return [each for each in processors(pipeline) if kind in kinds(type(each))]


def services(pipeline: Any) -> tuple[Service, ...]:
    """Return the services that a pipeline is made of."""
    return tuple(
        Service(STAGES[kind], _provider(type(each)), _model(each), getattr(each, "name", None))
        for each in processors(pipeline)
        for kind in kinds(type(each)) & STAGES.keys()
    )


def _provider(of: type) -> str:
    """Return whose service a class is: by its module in Pipecat, else by its name.

    ``pipecat.services.openai.realtime.llm`` is ``openai_realtime``.
    """
    module = of.__module__
    if module.startswith(_SERVICES):
        names = module[len(_SERVICES) :].split(".")
        return "_".join(each for each in names if each not in ("stt", "llm", "tts", "base_llm"))
    return own_name(of, "STTService", "LLMService", "TTSService", "Service")


def _model(processor: Any) -> str | None:
    model = getattr(getattr(processor, "_settings", None), "model", None)
    return model if isinstance(model, str) and model else None
