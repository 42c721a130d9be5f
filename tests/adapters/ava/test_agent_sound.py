"""What the agent sounds like on the engine: each sent frame is seen, and its text is counted."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from engine_line import Line
from engine_sound import ENGINES, Engine2026

import ai_engine_quality as aeq
from ai_engine_quality.adapters.spoken import spoken_characters

ANSWER = ((1.0, 7.0),)


@pytest.fixture(params=ENGINES, ids=lambda each: f"{each[0].__name__}-{each[1]}")
def engine(request: pytest.FixtureRequest) -> Any:
    """Return an engine of each generation, with each of its transports."""
    make, transport = request.param
    return make(transport)


async def answered(line: Line, history: list[Any] | None = None, answers: int = 0) -> aeq.CallScore:
    """Let the agent speak noise for six seconds; return the call's score."""
    session = await line.double.call()
    line.double.stream()
    for _ in range(answers):
        await line.double.said("AgentAudioDone")
    await line.run(8.0, (), ANSWER, {0.9: lambda: line.give(6.0)})
    if history is not None:
        session.conversation_history = history
    return await line.double.hang_up()


def test_the_samples_of_each_sent_frame_are_seen(engine: Any, line: Any) -> None:
    """On every generation and transport an agent that is noise is heard as noise."""
    summary = asyncio.run(answered(line(engine))).summary
    sounds = [levels.sound for levels in summary.audio.values() if levels.sound is not None]
    assert len(sounds) == 1
    assert sounds[0].checked == pytest.approx(60, abs=6)
    assert sounds[0].noise > 0.1
    assert sounds[0].noisy_seconds >= 4


def test_the_characters_of_the_agents_words_are_counted(line: Any) -> None:
    """Those of its messages, and neither the caller's nor what is no text; no word is kept."""
    history = [
        {"role": "assistant", "content": "Good  morning."},
        {"role": "user", "content": "Hello, who is this?"},
        {"role": "assistant", "content": "..."},
        {"role": "assistant", "content": None},
        "no message",
        {"role": "agent", "text": "Goodbye"},
    ]
    score = asyncio.run(answered(line(Engine2026("audiosocket")), history))
    assert score.summary.agent_characters == len("Good morning.") + len("Goodbye")
    assert "morning" not in str(score.to_dict())


@pytest.mark.parametrize(("answers", "characters"), [(2, 26), (3, None)])
def test_where_an_answer_has_no_text_nothing_is_known(
    line: Any, answers: int, characters: int | None
) -> None:
    """Two texts for three answers would read as slow speech; for two they are counted."""
    history = [{"role": "assistant", "content": "Good morning."}] * 2
    score = asyncio.run(answered(line(Engine2026("audiosocket")), history, answers))
    assert score.summary.agent_characters == characters


@pytest.mark.parametrize("history", [None, [], "text", {"role": "assistant"}])
def test_without_a_history_there_is_no_text(line: Any, history: Any) -> None:
    """An engine that keeps none, or something else, tells no number."""
    score = asyncio.run(answered(line(Engine2026("audiosocket")), history))
    assert score.summary.agent_characters is None


@pytest.mark.parametrize(
    ("text", "characters"),
    [
        ("", 0),
        ("  a  b ", 3),
        ("äöü", 3),
        ("你好。", 7),
        ("안녕 hi", 8),
        ("はい、カナ", 9),
        ("予約です", 10),
        ("นะ", 2),
    ],
)
def test_signs_of_dense_scripts_count_for_as_long_as_they_are_said(
    text: str, characters: int
) -> None:
    """A Chinese sign takes as long as three letters, a kana as two, and Hangul lies between."""
    assert spoken_characters(text) == characters


@pytest.mark.parametrize(
    ("text", "characters"), [("7", 4), ("555 0123", 29), ("24 h", 10), ("٣", 4)]
)
def test_a_digit_counts_for_the_word_that_is_spoken(text: str, characters: int) -> None:
    """A telephone number takes longer to say than its digits are to write."""
    assert spoken_characters(text) == characters
