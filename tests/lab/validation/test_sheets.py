"""The CSV files that people write: read, or refused with what to fix."""

import pytest
from ai_engine_lab.validation.sheets import SheetError, SheetLine, read_ratings, read_sheet


@pytest.fixture
def written(tmp_path):
    """Return a function that writes a file and returns its path."""

    def write(content):
        path = tmp_path / "sheet.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_a_sheet_has_scenarios_and_perhaps_providers(written, matrix):
    """Calls, scenarios and normalised providers are read, spaces around them forgiven."""
    path = written("call_id, scenario,provider\n 1.1,simple_qa,OpenAI Realtime\n1.2, barge_in ,\n")
    assert read_sheet(path, matrix) == {
        "1.1": SheetLine("simple_qa", "openai_realtime"),
        "1.2": SheetLine("barge_in", None),
    }


def test_spreadsheets_are_read_as_they_save(written, matrix):
    """A byte order mark, line ends of Windows, quotes and blank lines are no matter."""
    path = written(b'\xef\xbb\xbfcall_id,scenario\r\n"1.1","complex"\r\n\r\n')
    assert read_sheet(path, matrix) == {"1.1": SheetLine("complex", None)}


def test_several_ratings_of_a_call_become_their_mean(written):
    """Three people rated a call: it has their mean."""
    path = written("call_id,rating,who\n1.1,5,a\n1.1,4,b\n1.1,4.5,c\n1.2,1,a\n")
    assert read_ratings(path) == {"1.1": 4.5, "1.2": 1.0}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "column call_id is missing; its first line must be call_id,scenario"),
        ("call,scenario\n1.1,complex\n", "column call_id is missing"),
        ("call_id,scenario\n", "names no call"),
        (
            "call_id,scenario\n1.1,chat\n",
            "line 2: there is no scenario 'chat'; write one of simple",
        ),
        ("call_id,scenario\n1.1,complex\n1.1,complex\n", "line 3: call 1.1 was there already"),
        ("call_id,scenario\n1.1\n", "line 2 has not as many columns as the header"),
        ("call_id,scenario\n1.1,complex,a,b\n", "line 2 has not as many columns as the header"),
        ("call_id,scenario\n,complex\n", "line 2 names no call"),
        (b"call_id,scenario\n\xff\xfe\x00,complex\n", "is no CSV file in UTF-8"),
    ],
)
def test_a_sheet_that_is_wrong_is_refused(written, matrix, content, said):
    """What is wrong is said with its line, and what to write instead."""
    with pytest.raises(SheetError, match=said):
        read_sheet(written(content), matrix)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            "call_id,score\n1.1,4\n",
            "column rating is missing; its first line must be call_id,rating",
        ),
        ("call_id,rating\n", "holds no rating"),
        (
            "call_id,rating\n1.1,good\n",
            "line 2: rating must be a number, such as 4 or 3.5, not 'good'",
        ),
        ("call_id,rating\n1.1,nan\n", "rating must be a number"),
        ("call_id,rating\n1.1,\n", "rating must be a number"),
    ],
)
def test_ratings_that_are_wrong_are_refused(written, content, said):
    """What is wrong is said with its line, and what to write instead."""
    with pytest.raises(SheetError, match=said):
        read_ratings(written(content))


def test_a_file_that_is_not_there_is_named(tmp_path, matrix):
    """A missing file, or a folder, is an error that names it."""
    with pytest.raises(SheetError, match=r"none\.csv can't be read: No such file"):
        read_ratings(tmp_path / "none.csv")
    with pytest.raises(SheetError, match="can't be read: Is a directory"):
        read_sheet(tmp_path, matrix)
