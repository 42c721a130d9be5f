"""A provider that is lost in mid-call: the call failed, though the engine says nothing of it."""

from __future__ import annotations

import asyncio
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from engine_doubles import AUDIO, CALL

import ai_engine_quality as aeq


class Socket:
    """A WebSocket as today's ``websockets`` has it; it was closed with a code, or is open."""

    def __init__(self) -> None:
        self.state = SimpleNamespace(name="OPEN")
        self.close_code: int | None = None

    def close(self, code: int | None = 1006) -> None:
        """Let the far end close it; 1006 is what is said where it didn't say goodbye."""
        self.state = SimpleNamespace(name="CLOSED")
        self.close_code = code


class OldSocket:
    """A WebSocket that only says whether it is closed."""

    closed = False
    close_code: int | None = None

    def close(self, code: int | None = 1006) -> None:
        """Let the far end close it."""
        self.closed, self.close_code = True, code


class Served:
    """A call with a provider, its socket, and time that passes in looks at it."""

    def __init__(self, double: Any, clock: Any, session: Any) -> None:
        self.double = double
        self.clock = clock
        self.session = session
        self.provider: Any = None

    def connect(self, socket: Any, *, attribute: str = "websocket", own: str = "_call_id") -> None:
        """Let a provider with this socket serve the call."""
        self.provider = SimpleNamespace(**{attribute: socket, own: CALL})
        engine = self.double.engine
        if hasattr(engine, "_call_providers"):
            engine._call_providers[CALL] = self.provider
        else:
            engine.providers["one for all"] = self.provider
        self.double.poll()

    def turns(self, number: int) -> None:
        """Let some turns be answered in a second each, after the greeting."""
        info = self.double.stream(frames_sent=150)
        for _ in range(number):
            self.wait(5.0)
            self.double.monitor.turn_response(CALL, 1.0)
            info["frames_sent"] += 100
            info["last_real_emit_ts"] = self.clock()

    def wait(self, seconds: float) -> None:
        """Let time pass, with the timer's looks at the call."""
        for _ in range(round(seconds / 0.2)):
            self.clock.advance(0.2)
            self.double.poll()

    async def hang_up(self) -> aeq.CallScore:
        """Let the caller hang up."""
        if hasattr(self.session, "call_outcome") and not self.session.call_outcome:
            self.session.call_outcome = "caller_hangup"
        score: aeq.CallScore = await self.double.hang_up()
        return score


@pytest.fixture
def served(attached: Any, clock: Any) -> Any:
    """Return a function from an engine to a call of its on the test's own clock."""

    async def make(engine: Any) -> Served:
        double = attached(engine)
        double.keep_time_by(clock)
        return Served(double, clock, await double.call())

    return make


def ceilings(score: aeq.CallScore) -> list[str]:
    """Return the rules that hold a score down."""
    return [ceiling.rule for ceiling in score.ceilings]


def test_a_provider_that_disconnects_in_mid_call_is_a_failed_call(
    generation: ModuleType, served: Any
) -> None:
    """Four turns, then Google's socket closes with 1007: the engine says "caller_hangup", we 0."""

    async def main() -> aeq.CallScore:
        call = await served(generation.Engine())
        call.turns(4)
        await call.double.said("ProviderDisconnected", code=1007, reason="invalid payload")
        call.clock.advance(0.4)
        return await call.hang_up()

    score = asyncio.run(main())
    assert (score.score, score.summary.turn_count) == (0, 4)
    assert not score.summary.failed
    assert "provider_lost" in ceilings(score)
    assert "provider that was lost" in score.explain()


SOCKETS = {
    "deepgram": ("websocket", "call_id", Socket),
    "elevenlabs": ("_ws", "_call_id", Socket),
    "old websockets": ("websocket", "call_id", OldSocket),
}


@pytest.mark.parametrize("kind", SOCKETS)
@pytest.mark.parametrize(
    "end",
    [
        (7.0, 1006, True),
        (0.4, 1006, True),  # nobody came back before the caller hung up
        (7.0, 1000, True),  # it closed politely, and left the caller there
        (7.0, None, True),
        (3.0, 1000, False),  # who has said goodbye may close its side
    ],
)
def test_a_socket_that_closes_without_an_event_is_a_lost_provider(
    generation: ModuleType, served: Any, kind: str, end: tuple[float, int | None, bool]
) -> None:
    """Deepgram, OpenAI and ElevenLabs tell the engine of nothing; the caller hears dead air."""
    attribute, own, make = SOCKETS[kind]
    seconds, code, lost = end

    async def main() -> aeq.CallScore:
        call = await served(generation.Engine())
        socket = make()
        call.connect(socket, attribute=attribute, own=own)
        call.turns(2)
        socket.close(code)
        call.wait(seconds)
        return await call.hang_up()

    score = asyncio.run(main())
    assert ("provider_lost" in ceilings(score)) is lost
    assert (score.score == 0) is lost


def test_an_answer_that_is_still_played_is_no_dead_air(today: ModuleType, served: Any) -> None:
    """A provider faster than real time closes its side while its farewell is being played."""

    async def main() -> aeq.CallScore:
        call = await served(today.Engine())
        socket = Socket()
        call.connect(socket)
        call.turns(2)
        info = call.double.stream(frames_sent=100)
        socket.close(1000)
        for _ in range(6):
            call.wait(1.0)
            info["last_real_emit_ts"] = call.clock()
        call.wait(3.0)
        return await call.hang_up()

    assert "provider_lost" not in ceilings(asyncio.run(main()))


@pytest.mark.parametrize("seconds", [0.6, 4.0])
def test_a_provider_that_comes_back_was_not_lost(
    today: ModuleType, served: Any, seconds: float
) -> None:
    """OpenAI connects anew, with a socket of its own, at once or after some attempts."""

    async def main() -> aeq.CallScore:
        call = await served(today.Engine())
        socket = Socket()
        call.connect(socket)
        call.turns(2)
        socket.close()
        call.wait(seconds)
        call.provider.websocket = Socket()
        call.wait(1.0)
        return await call.hang_up()

    assert "provider_lost" not in ceilings(asyncio.run(main()))


def test_another_loss_after_a_return_counts(today: ModuleType, served: Any) -> None:
    """Once more, and for good."""

    async def main() -> aeq.CallScore:
        call = await served(today.Engine())
        for _ in range(2):
            socket = Socket()
            call.connect(socket)
            call.turns(1)
            socket.close()
            call.wait(4.0)
        return await call.hang_up()

    assert asyncio.run(main()).score == 0


def test_audio_after_a_loss_takes_it_back(today: ModuleType, served: Any) -> None:
    """Whoever speaks is there, by whatever way it came."""

    async def main() -> aeq.CallScore:
        call = await served(today.Engine())
        call.turns(2)
        await call.double.said("ProviderDisconnected", code=1011)
        call.wait(3.0)
        await call.double.said("AgentAudio", **AUDIO)
        call.wait(3.0)
        return await call.hang_up()

    assert "provider_lost" not in ceilings(asyncio.run(main()))


def test_a_turn_that_was_answered_before_the_loss_does_not_take_it_back(
    today: ModuleType, served: Any
) -> None:
    """The engine's list of latencies is read by looks: the last turn may be seen after the loss."""

    async def main() -> aeq.CallScore:
        call = await served(today.Engine())
        call.turns(1)
        call.session.turn_latencies_ms.append(700.0)
        await call.double.said("ProviderDisconnected", code=1007)
        call.wait(1.0)
        return await call.hang_up()

    score = asyncio.run(main())
    assert (score.score, score.summary.turn_count) == (0, 2)


@pytest.mark.parametrize(
    "fields",
    [
        {"cleanup_after_tts": True},
        {"call_outcome": "agent_hangup"},
        {"call_outcome": "no_input_timeout"},
        {"transfer_destination": "sales"},
        {"cleanup_in_progress": True},
    ],
    ids=lambda fields: next(iter(fields)),
)
@pytest.mark.parametrize("event", [True, False], ids=["event", "socket"])
def test_who_ends_a_call_by_choice_has_lost_nobody(
    today: ModuleType, served: Any, fields: dict[str, Any], event: bool
) -> None:
    """The agent hangs up, the caller is handed on, the engine cleans up: the socket has done."""

    async def main() -> aeq.CallScore:
        call = await served(today.Engine())
        socket = Socket()
        call.connect(socket)
        call.turns(2)
        vars(call.session).update(fields)
        if event:
            await call.double.said("ProviderDisconnected", code=1011)
        socket.close()
        call.wait(8.0)
        call.session.cleanup_in_progress = False
        return await call.hang_up()

    assert "provider_lost" not in ceilings(asyncio.run(main()))


@pytest.mark.parametrize("flag", ["_hangup_after_response", "_hangup_pending"])
def test_a_provider_may_leave_while_its_farewell_is_played(
    today: ModuleType, served: Any, flag: str
) -> None:
    """It has asked the engine to hang up after its last words, and the flag is taken down then."""

    async def main() -> aeq.CallScore:
        call = await served(today.Engine())
        socket = Socket()
        call.connect(socket)
        call.turns(2)
        setattr(call.provider, flag, True)
        await call.double.said("ProviderDisconnected", code=1011)
        socket.close()
        call.wait(0.4)
        setattr(call.provider, flag, False)
        call.wait(8.0)
        return await call.hang_up()

    assert "provider_lost" not in ceilings(asyncio.run(main()))


@pytest.mark.parametrize("how", ["closing", "stopped", "let go"])
def test_the_engine_that_parts_from_a_provider_has_not_lost_it(
    generation: ModuleType, served: Any, how: str
) -> None:
    """It stops the session, as it does before it hands a caller on."""

    async def main() -> aeq.CallScore:
        engine = generation.Engine()
        call = await served(engine)
        socket = Socket()
        call.connect(socket)
        call.turns(2)
        if how == "closing":
            call.provider._closing = True
        elif how == "stopped":
            call.provider._call_id = None
        else:
            getattr(engine, "_call_providers", engine.providers).clear()
        call.wait(0.2)
        socket.close()
        call.wait(8.0)
        return await call.hang_up()

    assert "provider_lost" not in ceilings(asyncio.run(main()))


def test_a_provider_that_never_connected_was_not_lost(today: ModuleType, served: Any) -> None:
    """A start that fails is the engine's error; a socket that isn't there yet is none."""

    async def main() -> aeq.CallScore:
        call = await served(today.Engine())
        call.connect(None)
        call.turns(2)
        call.wait(8.0)
        return await call.hang_up()

    assert "provider_lost" not in ceilings(asyncio.run(main()))


def test_a_provider_without_a_socket_is_left_alone(
    today: ModuleType, served: Any, dropped: Any
) -> None:
    """A local model in the engine's own process has nothing that could close."""

    async def main() -> aeq.CallScore:
        call = await served(today.Engine())
        call.double.engine._call_providers[CALL] = object()
        call.turns(2)
        return await call.hang_up()

    assert "provider_lost" not in ceilings(asyncio.run(main()))
    assert dropped("internal_error") == 0


def test_an_event_of_a_call_that_is_not_observed_is_nobodys(
    today: ModuleType, attached: Any, dropped: Any
) -> None:
    """Before its start, after its end, or without an id."""

    async def main() -> None:
        double = attached(today.Engine())
        await double.said("ProviderDisconnected", "9.9", code=1007)
        await double.said("ProviderDisconnected", None, code=1007)

    asyncio.run(main())
    assert dropped("unknown_call") == dropped("internal_error") == 0
