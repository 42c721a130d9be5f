"""The calls: the test matrix's twenty, and the faults at the wire."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from ai_engine_lab.real_calls.scenario import (
    Answer,
    Cue,
    Delivery,
    LineFault,
    Provider,
    Scenario,
    Transport,
    Turn,
)

QUESTIONS: Final = (
    ("to-call-this-number",),
    ("number-not-answering",),
    ("vm-enter-num-to-call",),
    ("please-try-call-later",),
    ("vm-tooshort", "vm-toreply"),
    ("conf-hasleft",),
    ("info-about-last-call",),
    ("vm-tocallnum",),
)
"""What the caller says: short, and without a pause that a provider would take for its end."""

ANSWERS: Final = (
    ("vm-nobox",),
    ("vm-rec-busy",),
    ("auth-incorrect",),
    ("confbridge-rest-talk-vol-in",),
    ("queue-youarenext",),
    ("priv-callpending",),
    ("privacy-unident",),
    ("vm-mailboxfull",),
)
LONG_ANSWER: Final = ("vm-forwardoptions", "confbridge-pin-bad")
LATENCIES: Final = (0.8, 0.95, 0.75, 1.1, 0.9, 0.85, 1.0, 0.8)
SHOUT: Final = ("please-try-again", "vm-tooshort", "please-try-call-later")
"""What an interrupting caller says: over four seconds."""


def turn(index: int, delivery: Delivery | None = None, **changes: object) -> Turn:
    """Return the ``index``-th question and its answer; ``changes`` are those of the answer."""
    place = index % len(QUESTIONS)
    answer = Answer(ANSWERS[place], after=LATENCIES[place], delivery=delivery or Delivery())
    return Turn(QUESTIONS[place], replace(answer, **changes))  # type: ignore[arg-type]  # by name


def unanswered(index: int, cue: Cue | None = None) -> Turn:
    """Return a question that gets no answer."""
    return Turn(QUESTIONS[index % len(QUESTIONS)], None, cue or Cue("after"))


def talk(turns: int, first: int = 0, delivery: Delivery | None = None) -> tuple[Turn, ...]:
    """Return a plain conversation."""
    return tuple(turn(first + index, delivery) for index in range(turns))


def interrupted(*, told: bool = True, stops: bool = True, pace: float = 1.2) -> tuple[Turn, ...]:
    """Return a conversation in which the caller interrupts the second answer."""
    asked = turn(0)
    long = Delivery(pace=pace)
    cut = Turn(QUESTIONS[1], Answer(LONG_ANSWER, delivery=long, told=told, interruptible=stops))
    after = Answer(ANSWERS[2]) if stops else None
    return (asked, cut, Turn(SHOUT, after, Cue("during", 2.5), interruption=True), turn(3))


# --- the test matrix ------------------------------------------------------------------------------

_OPENAI: Final = Delivery(pace=3.0, chunk=0.1)
"""OpenAI's service is much faster than real time."""


def _matrix() -> list[Scenario]:
    calls: list[Scenario] = []
    rows: tuple[tuple[Provider, str, int, int, int], ...] = (
        ("deepgram", "simple", 4, 3, 90),
        ("deepgram", "complex", 3, 7, 85),
        ("openai_realtime", "simple", 4, 3, 90),
        ("openai_realtime", "complex", 3, 7, 85),
    )
    for provider, kind, count, turns, expected in rows:
        for number in range(count):
            transport: Transport = "audiosocket" if number % 2 == 0 else "externalmedia"
            delivery = _OPENAI if provider == "openai_realtime" else None
            calls.append(
                Scenario(
                    f"{_short(provider)}-{kind}-{number + 1}",
                    f"{'Simple Q&A' if kind == 'simple' else 'Complex conversation'}, {transport}",
                    talk(turns, first=number * 2, delivery=delivery),
                    provider=provider,
                    transport=transport,
                    expected=expected,
                )
            )
    for number, level in enumerate((60.0, 120.0, 200.0), start=1):
        calls.append(
            Scenario(
                f"dg-noisy-{number}",
                f"Noisy background, {level:g} RMS of white noise",
                talk(3, first=number),
                noise=level,
                expected=75,
            )
        )
    return calls + [
        Scenario(
            f"oa-barge-in-{number}",
            "Barge-in test",
            interrupted(pace=6.0)[: 3 + number % 2],
            provider="openai_realtime",
            transport="externalmedia" if number == 2 else "audiosocket",
            expected=80,
        )
        for number in range(1, 4)
    ]


def _short(provider: Provider) -> str:
    return {"deepgram": "dg", "openai_realtime": "oa"}[provider]


# --- the faults -----------------------------------------------------------------------------------


def _slow(provider: Provider) -> Scenario:
    turns = (turn(0), turn(1, after=2.4), turn(2, after=3.6))
    return _fault(provider, "slow", "Two slow answers", turns)


def _fault(
    provider: Provider, name: str, title: str, turns: tuple[Turn, ...], **rest: object
) -> Scenario:
    scenario = Scenario(f"{_short(provider)}-{name}", title, turns, provider=provider, fault=True)
    return replace(scenario, **rest)  # type: ignore[arg-type]  # fields by name


def _unanswered(provider: Provider) -> list[Scenario]:
    middle = (turn(0), unanswered(1), replace(turn(2), cue=Cue("waiting", 6.0)))
    last = (turn(0), turn(1), unanswered(2))
    return [
        _fault(provider, "unanswered-middle", "A turn in mid-call is never answered", middle),
        _fault(
            provider, "unanswered-last", "The last turn is never answered", last,
            ending=Cue("waiting", 8.0),
        ),
    ]  # fmt: skip


def _broken_answers(provider: Provider) -> list[Scenario]:
    holes = Delivery(pace=1.0, starved=((1.5, 1.0), (3.0, 0.8)))
    chopped = Delivery(pace=1.0, starved=tuple((0.4 * number, 0.25) for number in range(1, 12)))
    closing = Delivery(close_after=2.0)
    gone = (turn(0), turn(1, closing), Turn(QUESTIONS[2], None, Cue("after", 1.0)))
    return [
        _fault(provider, "holes", "The provider starves: two holes", talk(2, delivery=holes)),
        _fault(provider, "chopped", "Audio in small pieces with gaps", talk(2, delivery=chopped)),
        _fault(
            provider, "closes", "The provider closes its connection in an answer", gone,
            ending=Cue("waiting", 7.0),
        ),
    ]  # fmt: skip


def _paces(provider: Provider) -> list[Scenario]:
    burst, slow = Delivery(pace=5.0, chunk=0.02), Delivery(pace=0.7)
    return [
        _fault(provider, "burst", "Answers at five times real time", talk(3, delivery=burst)),
        _fault(provider, "starving", "Answers at 0.7 of real time", talk(2, delivery=slow)),
    ]


def _formats() -> list[Scenario]:
    rows: tuple[tuple[Provider, str, str, Delivery], ...] = (
        ("deepgram", "half-speed", "Audio at half its speed", Delivery(speed=0.5)),
        ("openai_realtime", "double-speed", "Audio at double its speed",
         Delivery(speed=2.0, pace=3.0)),
        ("deepgram", "linear-as-ulaw", "Linear samples where u-law is agreed",
         Delivery(wrong_encoding=True)),
        ("openai_realtime", "ulaw-as-linear", "u-law where linear samples are agreed",
         Delivery(wrong_encoding=True, pace=3.0)),
        ("deepgram", "quiet", "An agent that is hardly audible", Delivery(level=60.0)),
        ("deepgram", "clipped", "An overdriven agent", Delivery(overdrive=12.0)),
    )  # fmt: skip
    return [
        _fault(
            provider, name, title, talk(2, delivery=delivery),
            greeting=Answer(("demo-thanks",), after=0.2, delivery=delivery),
        )
        for provider, name, title, delivery in rows
    ]  # fmt: skip


def _barge_ins() -> list[Scenario]:
    false_start = (turn(0), turn(1, prompts=LONG_ANSWER, false_barge_in_at=1.5), turn(2))
    return [
        _fault("deepgram", "barge-in-told", "Barge-in, told by the provider", interrupted()),
        _fault("deepgram", "barge-in-untold", "Barge-in: the provider stops, and says nothing",
               interrupted(told=False)),
        _fault("deepgram", "talked-over", "An agent that never stops for the caller",
               interrupted(told=False, stops=False), setting="no-barge-in"),
        _fault("deepgram", "stopped-by-engine", "The engine stops the agent, not the provider",
               interrupted(told=False, stops=False)),
        _fault("openai_realtime", "deaf-in-answers", "The provider never hears the interruption",
               interrupted()),
        _fault("deepgram", "false-barge-in", "The provider takes noise for the caller",
               false_start),
    ]  # fmt: skip


def _lines() -> list[Scenario]:
    stall, freeze = LineFault(stall_at=9.5), LineFault(freeze_at=9.5)
    long_turns = (turn(0, prompts=LONG_ANSWER), turn(1))
    echo = "The agent's echo in the caller's track"
    return [
        _fault("deepgram", "stall", "The AudioSocket stands still for 1.5 s", long_turns,
               line=stall),
        _fault("deepgram", "frozen", "The engine's process stands still for 1.5 s", long_turns,
               line=freeze),
        _fault("deepgram", "loss", "5 % of the phone's packets are lost", talk(3),
               transport="externalmedia", line=LineFault(loss=0.05)),
        _fault("openai_realtime", "loss", "10 % of the phone's packets are lost", talk(2),
               transport="externalmedia", line=LineFault(loss=0.1)),
        _fault("deepgram", "noise", "A caller in noise, 14 dB below the voice", talk(3),
               noise=480.0, hears_above=1_400.0),
        _fault("deepgram", "loud-noise", "A caller in loud noise, 10 dB below the voice", talk(3),
               noise=760.0, hears_above=2_000.0),
        _fault("deepgram", "echo", f"{echo}, -20 dB", talk(3), echo_db=-20.0, hears_above=1_100.0),
        _fault("deepgram", "loud-echo", f"{echo}, -10 dB: it interrupts itself", talk(3),
               echo_db=-10.0),
    ]  # fmt: skip


def _endings() -> list[Scenario]:
    greeting = Answer(("demo-abouttotry",), after=0.2)
    words = talk(1)
    return [
        _fault("deepgram", "hang-up-greeting", "Hang-up in the greeting", (),
               greeting=greeting, ending=Cue("during", 11.0, patience=14.0)),
        _fault("deepgram", "hang-up-waiting", "Hang-up while waiting for an answer",
               (*words, turn(1, after=9.0)), ending=Cue("waiting", 4.0)),
        _fault("deepgram", "hang-up-answer", "Hang-up in an answer",
               (*words, turn(1, prompts=LONG_ANSWER)), ending=Cue("during", 3.0)),
        _fault("deepgram", "dead-caller", "A caller who is never heard",
               (replace(turn(0), cue=Cue("after", 2.0)),), mute=True, ending=Cue("waiting", 12.0)),
        _fault("deepgram", "mute-agent", "An agent that never speaks",
               (unanswered(0, Cue("waiting", 4.0)), unanswered(1, Cue("waiting", 6.0))),
               greeting=None, ending=Cue("waiting", 8.0)),
        _fault("deepgram", "long-greeting", "A greeting of 22 s in bursts", words,
               greeting=Answer(("conf-adminmenu-18",), after=0.2,
                               delivery=Delivery(pace=4.0, chunk=0.02)),
               ),
    ]  # fmt: skip


def _pacer() -> list[Scenario]:
    title = "The engine's own pacer is on"
    return [_fault("openai_realtime", "pacer", title, talk(3), setting="pacer")]


def all_scenarios() -> tuple[Scenario, ...]:
    """Return every call, the test matrix's first."""
    return (
        *_matrix(),
        _slow("deepgram"),
        _slow("openai_realtime"),
        *_unanswered("deepgram"),
        *_unanswered("openai_realtime"),
        *_broken_answers("deepgram"),
        *_broken_answers("openai_realtime"),
        *_paces("deepgram"),
        *_paces("openai_realtime"),
        *_formats(),
        *_barge_ins(),
        *_lines(),
        *_endings(),
        *_pacer(),
    )
