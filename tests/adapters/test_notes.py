"""What passes on a frame path is noted, and taken a moment later: all of it, and in order."""

from __future__ import annotations

import asyncio
import gc
import itertools
import threading
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_engine_quality.adapters.notes import MOST_WAITING, Noted, Notes, Taker
from ai_engine_quality.adapters.wraps import Wraps
from ai_engine_quality.live.audio import FrameBatch


class Reader:
    """Takes notes, and remembers them with the errors of those that it could not take."""

    def __init__(self) -> None:
        self.taken: list[tuple[Any, ...]] = []
        self.errors: list[Exception] = []
        self.notes = Notes(itertools.count(1.0).__next__, self.errors.append)
        self.taker = Taker(self)

    def __call__(self, at: float, *arguments: Any) -> None:
        """Take a note; one of "bad" it can't."""
        if "bad" in arguments:
            raise ValueError(at)
        self.taken.append((at, *arguments))


@pytest.fixture
def reader() -> Reader:
    """Return what takes notes."""
    return Reader()


@given(st.lists(st.integers(0, 3) | st.just("bad") | st.none(), max_size=600))
def test_every_note_is_taken_once_and_in_order(what: list[object]) -> None:
    """However they come: None is a flush in between, and what can't be taken is reported."""
    reader = Reader()
    for each in what:
        if each is None:
            reader.notes.flush()
        else:
            reader.notes.add(reader.taker, (each,))
        assert len(reader.notes.waiting) < MOST_WAITING
    reader.notes.flush()
    noted = [each for each in what if each is not None]
    numbered = list(zip(itertools.count(1.0), noted, strict=False))
    assert reader.taken == [(at, each) for at, each in numbered if each != "bad"]
    assert [error.args for error in reader.errors] == [
        (at,) for at, each in numbered if each == "bad"
    ]


def test_what_a_note_brings_about_may_flush_again(reader: Reader) -> None:
    """As the end of a call does, that a note leads to: the rest of the notes comes after it."""
    reader.notes.add(Taker(lambda _at: reader.notes.flush()), ())
    reader.notes.add(reader.taker, ("rest",))
    reader.notes.flush()
    assert reader.taken == [(2.0, "rest")]


def test_two_threads_that_flush_keep_the_order(reader: Reader) -> None:
    """A scrape flushes in a thread of its own, while the engine's goes on noting."""
    done = threading.Event()

    def scrape() -> None:
        while not done.is_set():
            reader.notes.flush()
            time.sleep(0)

    thread = threading.Thread(target=scrape)
    thread.start()
    for number in range(20_000):
        reader.notes.add(reader.taker, (number,))
    done.set()
    thread.join()
    reader.notes.flush()
    assert [number for _, number in reader.taken] == list(range(20_000))


class Path:
    """A frame path, of an engine."""

    def plain(self, frame: bytes, rate: int = 8_000, **more: object) -> object:
        """Return what it was called with; an empty frame it doesn't take."""
        if not frame:
            raise ValueError("no frame")
        return frame, rate, more

    async def awaited(self, frame: bytes, rate: int = 8_000, **more: object) -> object:
        """Do the same in the engine's loop."""
        await asyncio.sleep(0)
        return frame, rate, more


@pytest.fixture
def path() -> Path:
    """Return an engine's frame path."""
    return Path()


@pytest.fixture
def watched(path: Path, reader: Reader) -> Wraps:
    """Note each call of both of its methods."""
    wraps = Wraps(reader.errors.append)
    noted = Noted(reader.notes, reader)
    wraps.set(path, "plain", ("frame", "rate"), coroutine=False, noted=noted)
    wraps.set(path, "awaited", ("frame", "rate"), coroutine=True, noted=noted)
    return wraps


@pytest.mark.usefixtures("watched")
def test_a_noted_method_cannot_tell(path: Path, reader: Reader) -> None:
    """Results and exceptions are its own; the leading arguments are noted, named or not."""
    assert path.plain(b"1", 16_000) == (b"1", 16_000, {})
    assert path.plain(rate=24_000, frame=b"2", source="rtp") == (b"2", 24_000, {"source": "rtp"})
    with pytest.raises(ValueError, match="no frame"):
        path.plain(b"")
    assert asyncio.run(path.awaited(b"3", at=1)) == (b"3", 8_000, {"at": 1})
    assert reader.taken == []
    reader.notes.flush()
    assert reader.taken == [
        (1.0, b"1", 16_000),
        (2.0, b"2", 24_000),
        (3.0, b"", None),
        (4.0, b"3", None),
    ]
    assert reader.errors == []


def test_a_wrap_that_is_taken_back_notes_nothing(
    path: Path, reader: Reader, watched: Wraps
) -> None:
    """Nor do notes that are waiting then reach anybody, also where somebody has wrapped it."""
    kept = path.plain
    path.plain(b"1")
    watched.restore()
    assert kept(b"2") == (b"2", 8_000, {})
    reader.notes.flush()
    assert reader.taken == []
    assert vars(path) == {}


@pytest.mark.parametrize("name", ["plain", "awaited"])
def test_what_nobody_wants_is_not_noted(path: Path, reader: Reader, name: str) -> None:
    """By a value of one argument in its place; one that is named, or can't be hashed, is noted."""
    wraps, coroutine = Wraps(reader.errors.append), name == "awaited"
    noted = Noted(reader.notes, reader, argument="rate", but_for=frozenset({"none"}))
    wraps.set(path, name, ("frame", "rate"), coroutine=coroutine, noted=noted)

    def called(*args: Any, **named: Any) -> Any:
        result = getattr(path, name)(*args, **named)
        return asyncio.run(result) if coroutine else result

    assert called(b"1", "none") == (b"1", "none", {})
    assert called(b"2", rate="none") == (b"2", "none", {})
    assert called(b"3", []) == (b"3", [], {})
    assert called(b"4", "some") == (b"4", "some", {})
    assert called(b"5") == (b"5", 8_000, {})
    reader.notes.flush()
    assert [frame for _, frame, _ in reader.taken] == [b"2", b"3", b"4", b"5"]


@pytest.mark.usefixtures("watched")
def test_a_frame_path_that_nobody_reads_is_bounded(path: Path, reader: Reader) -> None:
    """Where no call is observed, and no timer runs, notes are taken all the same."""
    for _ in range(10 * MOST_WAITING):
        path.plain(b"frame")
        assert len(reader.notes.waiting) < MOST_WAITING
    assert len(reader.taken) == 10 * MOST_WAITING


# What is measured with them.


@pytest.fixture
def frames() -> FrameBatch:
    """Return where frames wait to be measured."""
    return FrameBatch(clock=lambda: 0.0)


def holding(reader: Reader, frames: FrameBatch, order: list[str]) -> None:
    """Let an adapter hold a frame back, and say so when it hands it over."""
    reader.notes.add(Taker(lambda _at: order.append("frame")), ())
    frames.fetch_from(reader.notes)


def test_a_hint_does_not_overtake_the_frames_before_it(reader: Reader, frames: FrameBatch) -> None:
    """The end of an answer comes after the answer."""
    order: list[str] = []
    holding(reader, frames, order)
    frames.take_hint(lambda _at: order.append("hint"), 0.0)
    assert order == ["frame", "hint"]


def test_who_measures_has_the_frames_until_now(reader: Reader, frames: FrameBatch) -> None:
    """The end of a call finds it complete."""
    order: list[str] = []
    holding(reader, frames, order)
    frames.measure()
    assert order == ["frame"]


def test_an_adapter_that_is_gone_is_asked_no_more(frames: FrameBatch) -> None:
    """The monitor outlives the engine, and doesn't keep it alive."""
    order: list[str] = []
    holding(Reader(), frames, order)
    gc.collect()
    frames.measure()
    assert order == []
    frames.fetch_from(Reader().notes)
    assert len(frames._sources) == 1


def test_a_forked_child_holds_nothing_of_its_parents(reader: Reader, frames: FrameBatch) -> None:
    """Nor does it wait for a thread that isn't there, and held the notes when it was forked."""
    order: list[str] = []
    holding(reader, frames, order)
    elsewhere = threading.Thread(target=reader.notes._flushing.acquire)
    elsewhere.start()
    elsewhere.join()
    frames.begin_anew()
    reader.notes.add(Taker(lambda _at: order.append("child's")), ())
    frames.measure()
    assert order == ["child's"]
