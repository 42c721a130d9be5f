"""Which services a pipeline is made of, and whose they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

STAGES = {"STTService": "stt", "LLMService": "llm", "TTSService": "tts"}
"""Pipecat's own classes, and the stage of a turn that each is."""

INPUT, OUTPUT = "BaseInputTransport", "BaseOutputTransport"

_SERVICES = "pipecat.services."
_SUFFIXES = ("STTService", "LLMService", "TTSService", "Service")


class Service(NamedTuple):
    """One service of a pipeline."""

    stage: str
    """``stt``, ``llm`` or ``tts``."""
    provider: str
    model: str | None


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


def service(processor: Any) -> Service | None:
    """Return which service a processor is; None where it is none."""
    stage = next((STAGES[kind] for kind in STAGES if kind in kinds(type(processor))), None)
    if stage is None:
        return None
    return Service(stage, _provider(type(processor)), _model(processor))


def _provider(of: type) -> str:
    """Return whose service a class is: by its module in Pipecat, else by its name.

    ``pipecat.services.openai.realtime.llm`` is ``openai_realtime``; a class of somebody's own,
    ``AcmeTTSService``, is ``acme``.
    """
    module = of.__module__
    if module.startswith(_SERVICES):
        names = module[len(_SERVICES) :].split(".")
        return "_".join(each for each in names if each not in ("stt", "llm", "tts", "base_llm"))
    name = of.__name__
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    return name or of.__name__


def _model(processor: Any) -> str | None:
    settings = getattr(processor, "_settings", None)
    model = getattr(settings, "model", None)
    return model if isinstance(model, str) and model else None


def stages(pipeline: Any) -> dict[str, str]:
    """Return the stage of each service of a pipeline, by the service's own name."""
    found = {}
    for each in processors(pipeline):
        known = service(each)
        if known is not None and isinstance(getattr(each, "name", None), str):
            found[each.name] = known.stage
    return found


def names(services: Iterable[Service]) -> tuple[str | None, str | None]:
    """Return (provider, pipeline) of a call: who thinks, and all whose services take part."""
    by_stage: dict[str, str] = {}
    for each in services:
        by_stage.setdefault(each.stage, each.provider)
    if not by_stage:
        return None, None
    first = by_stage.get("llm") or next(iter(by_stage.values()))
    if len(by_stage) == 1:
        return first, "speech_to_speech" if "llm" in by_stage else None
    return first, "_".join(by_stage[stage] for stage in STAGES.values() if stage in by_stage)
