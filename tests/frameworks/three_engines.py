"""The same scripted calls through the AVA engine, Pipecat and LiveKit Agents, and what they scored.

    make three-engines AVA_ROOT=/path/to/the/engine

The caller says the same sentences and gets the same answers, with the same waits, holes and
interruption. The AVA engine runs as it is, in the lab's rig: its provider is a stand-in that takes
its times from the script.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Final

from ai_engine_lab.real_calls import truth
from ai_engine_lab.real_calls.engine import EngineProcess, prepare_environment
from ai_engine_lab.real_calls.judging import summary_of
from ai_engine_lab.real_calls.running import Rig, run_scenarios
from ai_engine_lab.real_calls.scenario import Answer, Cue, Delivery, Scenario
from ai_engine_lab.real_calls.scenario import Turn as RigTurn
from metering import metered
from placed import ATTEMPTS, CLEAN, FAULTY, place_all, through_livekit, through_pipecat
from scripted import ENDPOINT_SECONDS, FRAME_SECONDS, ONSET_SECONDS, Turn, answer, words

import ai_engine_quality as aeq
from ai_engine_quality.adapters.livekit.call import LiveKitCall
from ai_engine_quality.adapters.pipecat.call import PipecatCall
from ai_engine_quality.adapters.pipecat.frames import Frames

PROJECT: Final = Path(__file__).parents[2]
SCRIPTS: Final = {"faulty": FAULTY, "clean": CLEAN}
CLOSE: Final = 5
"""Points: between two engines, and between what was scored and what was heard."""

PACE: Final = 5.0
"""Seconds of audio that the rig's provider gives in a second."""
LITTLE_WAITING: Final = 0.5
"""Seconds for which the engine may be kept waiting in a call of half a minute."""
SILENCE: Final = 2.0
"""Seconds of the agent's silence before the scripted caller speaks."""
FIRST_WORD: Final = 0.15
"""Seconds from the scripted caller's decision to speak to the first word; the rig's needs none."""
GREETING: Final = 2.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """One call: what was scored, and what was heard at the caller's end."""

    engine: str
    call: str
    score: aeq.CallScore
    due: aeq.CallScore
    """The score of the same policy, told what was heard."""
    cost: float | None = None
    """Seconds of processor time that a second of the call cost; None: not measured."""

    @property
    def points(self) -> int:
        """What was scored; -1: nothing."""
        return -1 if self.score.score is None else self.score.score

    @property
    def cause(self) -> str:
        """Where most of the slowest turn's time went."""
        slowest = self.score.summary.slowest_turn()
        cause = slowest and self.score.summary.cause_of(slowest[0])
        return f"{cause.stage}, {cause.seconds:.1f} s" if cause else "unknown"


# The AVA engine, in the lab's rig.


def scenario_of(name: str, script: Sequence[Turn]) -> Scenario:
    """Return a script as a call of the rig's."""
    turns: list[RigTurn] = []
    before: Turn | None = None
    for number, turn in enumerate(script):
        after = None if before is None else before.barge_in
        barges = after is not None
        cue = Cue("after", SILENCE) if after is None else Cue("during", after + FIRST_WORD)
        # An interruption has a sentence of its own, and what it asks is the script's next turn.
        said = words(number + 4) if barges else words(number)
        turns.append(RigTurn((said.prompt,), _answer(number + 1, turn), cue, interruption=barges))
        before = turn
    greeting = Answer((answer(0, GREETING).prompt,), after=0.2, delivery=Delivery(pace=PACE))
    longest = max((hole.seconds for turn in script for hole in turn.holes), default=0.0)
    return Scenario(
        name,
        name,
        tuple(turns),
        greeting=greeting,
        ending=Cue("after", SILENCE + longest),
        hears_after=ONSET_SECONDS,
    )


def _answer(number: int, turn: Turn) -> Answer:
    """Return an answer that is given as fast as can be, but for its holes."""
    starved = []
    played = 0.0
    for hole in turn.holes:  # what was given until then is played to its end first
        starved.append((hole.after, hole.seconds + (hole.after - played) * (1 - 1 / PACE)))
        played = hole.after
    return Answer(
        (answer(number, turn.answer).prompt,),
        after=ENDPOINT_SECONDS + turn.stt + turn.llm + turn.tts,
        delivery=Delivery(pace=PACE, chunk=0.1, starved=tuple(starved)),
    )


def through_ava(ava_root: Path, folder: Path) -> list[Outcome]:
    """Place the calls through the unedited engine, one after the other.

    Where the machine was too busy for the engine a call is placed again, and of all its attempts
    the one counts in which the engine waited least.
    """
    python = prepare_environment(ava_root, folder / "engine-venv", PROJECT)
    process = EngineProcess(ava_root, python, folder / "engine", with_library=True)
    found = []
    for name, script in SCRIPTS.items():
        waited, best = asyncio.run(_place_in_the_rig(process, scenario_of(name, script)))
        for _ in range(1, ATTEMPTS):
            if waited < LITTLE_WAITING:
                break
            again = asyncio.run(_place_in_the_rig(process, scenario_of(name, script)))
            waited, best = min((waited, best), again, key=itemgetter(0))
        found.append(best)
    return found


async def _place_in_the_rig(process: EngineProcess, scenario: Scenario) -> tuple[float, Outcome]:
    """Place a call; return the seconds that the engine was kept waiting, and what came of it."""
    rig = Rig("deepgram", "audiosocket", "", process=process)
    run = await run_scenarios(rig, [scenario], lambda *_: None)
    (recording,) = run.recordings
    (score,) = (
        each for each in aeq.read_records(process.records) if each.call_id == recording.call_id
    )
    due = aeq.score(summary_of(truth.measure(recording), recording))
    return run.waited, Outcome("AVA", scenario.name, score, due)


async def through_frameworks() -> list[Outcome]:
    """Place the calls through Pipecat and LiveKit Agents, one framework after the other."""
    found: list[Outcome] = []
    for engine, through, observers in (
        ("Pipecat", through_pipecat, (PipecatCall, Frames)),
        ("LiveKit", through_livekit, (LiveKitCall,)),
    ):
        placing = {name: partial(through, turns) for name, turns in SCRIPTS.items()}
        with metered(*observers) as meter:
            calls = await place_all(placing)
        cost = meter.seconds / (meter.calls["received"] * FRAME_SECONDS)
        found += [
            Outcome(engine, name, call.score, call.score_by_truth(), cost)
            for name, call in calls.items()
        ]
    return found


def place_everywhere(ava_root: Path, folder: Path) -> list[Outcome]:
    """Place every call through every engine."""
    every = [*through_ava(ava_root, folder), *asyncio.run(through_frameworks())]
    return sorted(every, key=lambda one: list(SCRIPTS).index(one.call))


# What came of them.


def misses(outcomes: Iterable[Outcome]) -> list[str]:
    """Return what is not as promised: scores within five points, of each other and of the heard."""
    every = sorted(outcomes, key=lambda one: one.call)
    found = [
        f"{one.call} call, {one.engine}: scored {one.points}, heard {one.due.score}"
        for one in every
        if one.due.score is None or abs(one.points - one.due.score) > CLOSE
    ]
    for call, of_call in groupby(every, key=lambda one: one.call):
        points = {one.engine: one.points for one in of_call}
        if max(points.values()) - min(points.values()) > CLOSE:
            found.append(f"{call} call: {points}")
    return found


def table(outcomes: Iterable[Outcome]) -> str:
    """Return what was scored and what was heard, side by side, in Markdown."""
    every = list(outcomes)
    heads = [f"{one.engine}, {one.call}" for one in every]
    lines = [["", *heads], ["---"] * (len(heads) + 1)]
    for title, cell in ROWS.items():
        lines.append([title, *(cell(one) for one in every)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _turns(summary: aeq.CallSummary) -> str:
    return ", ".join(f"{each:.2f}" for each in summary.turn_latencies or ())


def _reactions(summary: aeq.CallSummary) -> str:
    return ", ".join(f"{each:.2f}" for each in summary.barge_in_reactions or ()) or "none"


def _holes(summary: aeq.CallSummary) -> str:
    return f"{(summary.underflows or 0) * 0.02:.2f} in {summary.underflow_episodes or 0}"


ROWS: Final[dict[str, Callable[[Outcome], str]]] = {
    "**score**": lambda one: f"**{one.points}**",
    "score of what was heard": lambda one: str(one.due.score),
    "turns, scored (s)": lambda one: _turns(one.score.summary),
    "turns, at the caller's end (s)": lambda one: _turns(one.due.summary),
    "silence in answers, scored (s)": lambda one: _holes(one.score.summary),
    "silence, at the caller's end (s)": lambda one: _holes(one.due.summary),
    "the agent's reaction, scored (s)": lambda one: _reactions(one.score.summary),
    "reaction, at the caller's end (s)": lambda one: _reactions(one.due.summary),
    "cause of the slowest turn": lambda one: one.cause,
    "a second of the call costs (ms)": lambda one: (
        "" if one.cost is None else f"{1e3 * one.cost:.1f}"
    ),
}


def main() -> int:
    """Place the calls, print the table; return 1 where a score isn't as promised."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--ava-root", required=True, type=Path, help="the AVA engine's tree")
    options.add_argument("--out", default=Path("build/three-engines"), type=Path)
    given = options.parse_args()
    outcomes = place_everywhere(given.ava_root.resolve(), given.out.resolve())
    sys.stdout.write(f"{table(outcomes)}\n")
    wrong = misses(outcomes)
    sys.stderr.write("\n".join(wrong or [f"all within {CLOSE} points"]) + "\n")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
