"""Recordings as files: to be measured again, listened to, or played to something else that listens.

``name.npz`` holds every frame of both directions with its time, what the provider gave, and the
script's log; ``name.wav`` is the same call for ears: the caller on the left, the agent on the
right.
"""

from __future__ import annotations

import json
import wave
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from ai_engine_lab.real_calls.recording import (
    CallRecording,
    GivenAnswer,
    TimedSound,
    Utterance,
)
from ai_engine_lab.real_calls.sound import RATE, Sound, to_pcm

_TRACKS = ("sent", "heard", "missed")
_LISTS = (*_TRACKS, "utterances", "answers")
_ANSWER_FACTS = ("turn", "complete_at", "withdrawn_at", "lost_at", "speed", "garbled")


def save(recording: CallRecording, folder: Path) -> Path:
    """Write a recording, and return its file."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {}
    for track in _TRACKS:
        _pack(arrays, track, getattr(recording, track))
    for number, utterance in enumerate(recording.utterances):
        arrays[f"words{number}"] = utterance.sound
    for number, answer in enumerate(recording.answers):
        arrays[f"planned{number}"] = answer.planned
        _pack(arrays, f"given{number}", answer.chunks)
    arrays["facts"] = np.array(json.dumps(_facts(recording)))
    path = folder / f"{recording.scenario}.npz"
    np.savez_compressed(path, **arrays)
    _write_wave(recording, path.with_suffix(".wav"))
    return path


def load(path: Path) -> CallRecording:
    """Read a recording back."""
    with np.load(path) as arrays:
        facts = json.loads(str(arrays["facts"]))
        utterances = facts.pop("utterances")
        answers = facts.pop("answers")
        facts["events"] = [(at, what) for at, what in facts["events"]]
        return CallRecording(
            **facts,
            sent=_unpack(arrays, "sent"),
            heard=_unpack(arrays, "heard"),
            missed=_unpack(arrays, "missed") if "missed_times" in arrays else [],
            utterances=[
                Utterance(one["turn"], arrays[f"words{number}"], one["kind"], one["frame_times"])
                for number, one in enumerate(utterances)
            ],
            answers=[
                GivenAnswer(
                    planned=arrays[f"planned{number}"],
                    chunks=_unpack(arrays, f"given{number}"),
                    **one,
                )
                for number, one in enumerate(answers)
            ],
        )


def _facts(recording: CallRecording) -> dict[str, Any]:
    names = (field.name for field in fields(recording) if field.name not in _LISTS)
    facts = {name: getattr(recording, name) for name in names}
    facts["utterances"] = [
        {"turn": one.turn, "kind": one.kind, "frame_times": one.frame_times}
        for one in recording.utterances
    ]
    facts["answers"] = [
        {name: getattr(one, name) for name in _ANSWER_FACTS} for one in recording.answers
    ]
    return facts


def _pack(arrays: dict[str, Any], name: str, pieces: Sequence[TimedSound]) -> None:
    arrays[f"{name}_times"] = np.array([piece.at for piece in pieces])
    arrays[f"{name}_lengths"] = np.array([len(piece.sound) for piece in pieces], dtype=np.int64)
    joined = [piece.sound for piece in pieces]
    arrays[f"{name}_samples"] = np.concatenate(joined) if joined else np.zeros(0, dtype=np.int16)


def _unpack(arrays: Mapping[str, Any], name: str) -> list[TimedSound]:
    times, lengths = arrays[f"{name}_times"], arrays[f"{name}_lengths"]
    samples = np.split(arrays[f"{name}_samples"], np.cumsum(lengths)[:-1])
    return [TimedSound(float(at), piece) for at, piece in zip(times, samples, strict=False)]


def _write_wave(recording: CallRecording, path: Path) -> None:
    zero = recording.connected_at or recording.placed_at
    count = round((recording.duration + 0.5) * RATE)
    both = np.stack(
        [_laid_out(track, zero, count) for track in (recording.sent, recording.heard)], axis=1
    )
    with wave.open(str(path), "wb") as stream:
        stream.setnchannels(2)
        stream.setsampwidth(2)
        stream.setframerate(RATE)
        stream.writeframes(to_pcm(both.reshape(-1)))


def _laid_out(track: Sequence[TimedSound], zero: float, count: int) -> Sound:
    """Return a track as one sound; what came early waits for what was before it."""
    line: Sound = np.zeros(count, dtype=np.int16)
    cursor = 0
    for piece in track:
        start = max(cursor, round((piece.at - zero) * RATE))
        if start + len(piece.sound) <= count:
            line[start : start + len(piece.sound)] = piece.sound
            cursor = start + len(piece.sound)
    return line
