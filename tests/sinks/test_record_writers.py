"""The record file among others: two processes, forks, folders that change, disks that fail."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import ai_engine_quality as aeq
from ai_engine_quality.history.records import rotated
from ai_engine_quality.sinks import records as records_module

WRITER = """
    import sys
    import ai_engine_quality as aeq

    path, name, many, files = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    file = aeq.RecordFile(path, max_bytes=20_000, files=files)
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(many):
        file(aeq.score(aeq.CallSummary(call_id=f"{name}-{number}", duration=60.0)))
        if number % 500 == 499:
            assert file.flush(60)
"""


def scored(call_id):
    """Return the score of a short call."""
    return aeq.score(aeq.CallSummary(call_id=call_id, turn_latencies=(2.5,), duration=60.0))


def ids(path):
    """Return the call ids that are stored, oldest first; every line is one."""
    found = list(aeq.read_records(path))
    assert [one for one in found if isinstance(one, aeq.Unreadable)] == []
    return [score.call_id for score in found]


def run(script, *arguments, cwd=None):
    """Run a script to its end, which must be a good one; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(script), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
        cwd=cwd,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def write_from_two_processes(path, many, files):
    """Let two processes append so many records each, at the same time."""
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(WRITER), path, name, str(many), str(files)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in "ab"
    ]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate(timeout=200)
        assert writer.returncode == 0


class TestTwoProcesses:
    @pytest.mark.slow
    def test_rotation_loses_nothing(self, tmp_path):
        """Of 2,000 records each that two processes write to a file that rotates, all are there."""
        path = tmp_path / "calls.jsonl"
        write_from_two_processes(path, 2_000, 1_000)
        found = ids(path)
        for name in "ab":
            ours = [call_id for call_id in found if call_id.startswith(name)]
            assert ours == [f"{name}-{number}" for number in range(2_000)]
        assert rotated(path, 50).exists()

    @pytest.mark.parametrize("files", [1, 3])
    def test_the_bounds_hold(self, tmp_path, files):
        """No file grows beyond its size, and there are no more of them than there may be."""
        path = tmp_path / "calls.jsonl"
        write_from_two_processes(path, 300, files)
        kept = sorted(found.name for found in tmp_path.iterdir())
        assert kept == sorted(rotated(path, number).name for number in range(files))
        assert max(found.stat().st_size for found in tmp_path.iterdir()) <= 20_000

    def test_a_file_that_another_one_rotated_is_not_written_to(self, tmp_path):
        """A writer that still has the former file open goes to the one of that name."""
        path = tmp_path / "calls.jsonl"
        first, second = aeq.RecordFile(path), aeq.RecordFile(path)
        first(scored("a"))
        assert first._writer.flush(60)  # each has a thread of its own: else b may come first
        second(scored("b"))
        assert second._writer.flush(60)
        first._rotate()
        second(scored("c"))
        first.close()
        second.close()
        assert (ids(rotated(path, 1)), ids(path)) == (["a", "b"], ["a", "b", "c"])

    def test_a_file_system_without_locks_serves_one_writer(self, tmp_path, monkeypatch):
        """Where files can't be locked, records are written all the same."""

        def refuse(_handle, _how):
            raise OSError(errno.ENOLCK, "No locks available")

        monkeypatch.setattr(records_module.fcntl, "flock", refuse)
        file = aeq.RecordFile(tmp_path / "calls.jsonl", max_bytes=8_000, files=9)
        for number in range(30):
            file(scored(str(number)))
        file.close()
        assert ids(file.path) == [str(number) for number in range(30)]

    def test_a_file_that_is_never_the_same_is_given_up(self, tmp_path, monkeypatch):
        """Were a file always another one, the record is lost and counted; nothing hangs."""
        lost = []
        file = aeq.RecordFile(tmp_path / "calls.jsonl", on_lost=lambda many, _: lost.append(many))
        monkeypatch.setattr(file, "_is_still_there", lambda _: False)
        file(scored("a"))
        assert file.flush(60)
        assert lost == [1]


class TestAfterClose:
    def test_what_follows_is_written_at_exit(self, tmp_path):
        """A file that is used again after ``close()`` has written all of it at the exit."""
        path = tmp_path / "calls.jsonl"
        run(
            """
            import sys
            import ai_engine_quality as aeq
            file = aeq.RecordFile(sys.argv[1])
            for round in range(3):
                for number in range(300):
                    file(aeq.score(aeq.CallSummary(call_id=str(number), duration=60.0)))
                if round < 2:
                    file.close()
            """,
            path,
        )
        assert ids(path) == [str(number) for number in range(300)] * 3

    def test_a_monitors_file_goes_on_after_the_monitor(self, tmp_path, registry):
        """The file of a closed monitor takes what its owner gives it."""
        file = aeq.RecordFile(tmp_path / "calls.jsonl")
        quality = aeq.QualityMonitor(registry=registry, log=False, records=file)
        quality.call_started("1.1")
        quality.close()
        file(scored("1.2"))
        file.close()
        assert ids(file.path) == ["1.1", "1.2"]


class TestDisks:
    def test_a_close_that_fails_ends_no_writer(self, tmp_path, monkeypatch):
        """EIO from ``close`` costs nothing: flushing ends, and later records are written."""
        real, refused = os.close, []

        def close(handle):
            real(handle)
            if not refused:
                refused.append(handle)
                raise OSError(errno.EIO, "Input/output error")

        file = aeq.RecordFile(tmp_path / "calls.jsonl")
        file(scored("a"))
        monkeypatch.setattr(records_module.os, "close", close)
        assert file.flush(60)
        file(scored("b"))
        assert file.flush(60)
        assert ids(file.path) == ["a", "b"]
        assert len(refused) == 1

    def test_a_listener_that_raises_ends_no_writer(self, tmp_path, monkeypatch):
        """Whoever is told of lost records may raise: later records are written."""

        def broken(_lost, _error):
            raise RuntimeError("broken")

        file = aeq.RecordFile(tmp_path / "calls.jsonl", on_lost=broken)
        with monkeypatch.context() as patch:
            patch.setattr(file, "_append", lambda *_: os.read(-1, 1))
            file(scored("lost"))
            assert file.flush(60)
        file(scored("kept"))
        assert file.flush(60)
        assert ids(file.path) == ["kept"]

    def test_a_torn_line_of_another_process_is_ended(self, tmp_path):
        """A line that another writer left torn while this one has the file open is ended."""
        file = aeq.RecordFile(tmp_path / "calls.jsonl")
        file(scored("a"))
        file._writer.flush()
        with file.path.open("ab") as other:
            other.write(b'{"record": 1, "sco')
        file(scored("b"))
        file.close()
        found = list(aeq.read_records(file.path))
        assert [score.call_id for score in (found[0], found[2])] == ["a", "b"]
        assert isinstance(found[1], aeq.Unreadable)


class TestPlaces:
    def test_a_relative_path_stays_where_it_was(self, tmp_path):
        """``chdir`` after the file was made moves no record."""
        (tmp_path / "elsewhere").mkdir()
        run(
            """
            import os
            import ai_engine_quality as aeq
            file = aeq.RecordFile("calls.jsonl")
            file(aeq.score(aeq.CallSummary(call_id="before", duration=60.0)))
            file.flush()
            os.chdir("elsewhere")
            file(aeq.score(aeq.CallSummary(call_id="after", duration=60.0)))
            """,
            cwd=tmp_path,
        )
        assert ids(tmp_path / "calls.jsonl") == ["before", "after"]
        assert list((tmp_path / "elsewhere").iterdir()) == []

    @pytest.mark.parametrize("start", ["fork", "spawn", "forkserver"])
    def test_a_worker_of_multiprocessing_writes_all(self, tmp_path, start):
        """Workers skip ``atexit``: what they were given is written all the same."""
        script = tmp_path / "engine.py"
        script.write_text(
            textwrap.dedent(
                f"""
                import multiprocessing, sys
                import ai_engine_quality as aeq

                def work(name):
                    file = aeq.RecordFile(sys.argv[1])
                    for number in range(200):
                        summary = aeq.CallSummary(call_id=f"{{name}}-{{number}}", duration=60.0)
                        file(aeq.score(summary))

                if __name__ == "__main__":
                    made = multiprocessing.get_context({start!r})
                    workers = [made.Process(target=work, args=(name,)) for name in "ab"]
                    for worker in workers:
                        worker.start()
                    for worker in workers:
                        worker.join()
                """
            )
        )
        path = tmp_path / "calls.jsonl"
        done = subprocess.run([sys.executable, script, path], check=False, timeout=100)
        assert done.returncode == 0
        expected = [f"{name}-{number}" for name in "ab" for number in range(200)]
        assert sorted(ids(path)) == sorted(expected)


class TestReadingWhileItRotates:
    def test_a_file_that_is_given_up_meanwhile_is_read(self, tmp_path, monkeypatch):
        """What was open before two rotations gave it up is read, though its name is gone."""
        path = tmp_path / "calls.jsonl"
        file = aeq.RecordFile(path, files=3)
        for call_id in ("oldest", "older", "newest"):
            file(scored(call_id))
            file.flush()
            if call_id != "newest":
                file._rotate()
        real, opened = Path.open, []

        def open_and_rotate(self, *arguments):
            stream = real(self, *arguments)
            opened.append(self.name)
            if len(opened) == 2:
                for call_id in ("new", "newer still"):
                    file._rotate()
                    file(scored(call_id))
                    file.flush()
            return stream

        monkeypatch.setattr(Path, "open", open_and_rotate)
        assert ids(path) == ["older", "newest"]

    def test_newer_files_are_left_out(self, tmp_path, monkeypatch):
        """What came after this reading began is not read before what was there."""
        path = tmp_path / "calls.jsonl"
        file = aeq.RecordFile(path, files=9)
        file(scored("older"))
        file.flush()
        file._rotate()
        file(scored("newest"))
        file.flush()
        real, opened = Path.open, []

        def open_and_rotate(self, *arguments):
            stream = real(self, *arguments)
            opened.append(self.name)
            if len(opened) == 1:
                for call_id in ("new", "newer", "newer still"):
                    file._rotate()
                    file(scored(call_id))
                    file.flush()
            return stream

        monkeypatch.setattr(Path, "open", open_and_rotate)
        assert ids(path) == ["older", "newest"]
