"""Reading a record file: whatever stands in it is read, or told with its line."""

from __future__ import annotations

import json
import os
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ai_engine_quality as aeq
from ai_engine_quality.history.records import MAX_LINE_BYTES, to_line


def line_of(call_id):
    """Return the stored line of a short call."""
    call = aeq.CallSummary(call_id=call_id, turn_latencies=(2.5,), duration=60.0)
    return to_line(aeq.score(call))


def ids(path):
    """Return the call ids of the readable records, oldest first."""
    return [found.call_id for found in aeq.read_records(path) if isinstance(found, aeq.CallScore)]


@pytest.fixture
def path(tmp_path):
    """Return where a test's records are."""
    return tmp_path / "records.jsonl"


@pytest.fixture
def write(path):
    """Return a function that appends a short call of that id."""

    def append(call_id):
        with path.open("ab") as stream:
            stream.write(line_of(call_id))

    return append


@pytest.fixture(scope="module")
def line():
    """Return the line of a good record."""
    return line_of("good")


class TestForeignContent:
    @pytest.mark.parametrize(
        "line",
        [
            b"{",
            b"[]",
            b"null",
            b"17",
            b'"text"',
            b"{}",
            b'{"record": 2}',
            b'{"record": 1}',
            b'{"record": 1, "score": {}, "summary": {}}',
            b'{"record": 1, "score": [], "summary": {}}',
            b"\xff\xfe\x00",
            "ärger".encode("latin-1"),
            '{"record": 1}'.encode("utf-16"),
            b"\0" * 100,
            b"[" * 100_000,
            b'{"a":' * 100_000,
            b"9" * 10_000,
            b'{"record": 1' + b" " * 10_000,
            b"NaN",
        ],
        ids=lambda line: repr(line[:24]),
    )
    def test_a_line_that_is_no_record_is_told_and_skipped(self, write, path, line):
        """Whatever stands in a line, it is told with its number, and the others are read."""
        write("before")
        with path.open("ab") as stream:
            stream.write(line + b"\n")
        write("after")
        found = list(aeq.read_records(path))
        assert ids(path) == ["before", "after"]
        assert all(told.path == path and told.line > 1 and told.reason for told in found[1:-1])
        assert len(found) > 2

    @given(garbage=st.lists(st.binary(max_size=60), max_size=5))
    def test_no_bytes_make_reading_fail(self, line, garbage, tmp_path_factory):
        """Of any bytes around a record, the record is read, and nothing raises."""
        path = tmp_path_factory.mktemp("garbage") / "records.jsonl"
        path.write_bytes(b"\n".join([*garbage, line.rstrip(b"\n"), *garbage]))
        assert ids(path) == ["good"]

    @given(data=st.data())
    def test_no_json_makes_reading_fail(self, line, tmp_path_factory, data):
        """A record with any JSON in the place of any field is read or told, never raised."""
        path = tmp_path_factory.mktemp("json") / "records.jsonl"
        record = json.loads(line)
        part = data.draw(st.sampled_from(["score", "summary"]))
        key = data.draw(st.sampled_from(sorted(record[part])))
        plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
        record[part][key] = data.draw(
            st.recursive(
                plain,
                lambda inner: (
                    st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner)
                ),
                max_leaves=6,
            )
        )
        path.write_text(json.dumps(record) + "\n")
        (found,) = aeq.read_records(path)
        if isinstance(found, aeq.CallScore):
            assert found.explain()
            assert found.to_dict()

    @pytest.mark.parametrize(
        ("field", "wrong"),
        [
            ("call_id", None),
            ("call_id", 17),
            ("score", "90"),
            ("score", 101),
            ("score", -1),
            ("score", 90.5),
            ("score", True),
            ("raw", None),
            ("raw", "90"),
            ("band", "superb"),
            ("band", None),
            ("factors", None),
            ("factors", []),
            ("factors", [{"name": "latency"}]),
            ("ceilings", None),
            ("ceilings", [1]),
            ("coverage", "1"),
            ("coverage", 7),
            ("turns", None),
            ("turns", -1),
            ("unscored_reason", 5),
            ("policy_version", None),
        ],
        ids=repr,
    )
    def test_a_score_with_a_wrong_field_is_told(self, line, tmp_path, field, wrong):
        """A stored score whose field can't be right is told, and not taken for a score."""
        record = json.loads(line)
        record["score"][field] = wrong
        path = tmp_path / "records.jsonl"
        path.write_text(json.dumps(record) + "\n")
        (found,) = aeq.read_records(path)
        assert isinstance(found, aeq.Unreadable)

    def test_an_endless_line_is_not_read_into_memory(self, write, path):
        """A line of 300 MB without an end is told, and never held in memory as a whole."""
        write("before")
        size = path.stat().st_size
        os.truncate(path, size + 300_000_000)  # zeros that take no room on the disk
        with path.open("ab") as stream:
            stream.write(b"\n")
        write("after")
        tracemalloc.start()
        try:
            found = list(aeq.read_records(path))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert ids(path) == ["before", "after"]
        assert [told.line for told in found if isinstance(told, aeq.Unreadable)] == [2]
        assert peak < 20 * MAX_LINE_BYTES

    @pytest.mark.parametrize("length", [MAX_LINE_BYTES - 1, MAX_LINE_BYTES, MAX_LINE_BYTES + 1])
    def test_lines_around_the_bound_are_one_each(self, write, path, length):
        """A line that is just too long, or just not, is told once, and the next one is read."""
        path.write_bytes(b"x" * length + b"\n")
        write("after")
        found = list(aeq.read_records(path))
        assert ids(path) == ["after"]
        assert [told.line for told in found if isinstance(told, aeq.Unreadable)] == [1]

    def test_empty_lines_are_nothing(self, write, path):
        """Blank lines and an empty file are neither records nor faults."""
        path.write_bytes(b"\n\n  \n")
        assert list(aeq.read_records(path)) == []
        write("a")
        assert ids(path) == ["a"]
