"""Examples in the documents and in docstrings run as tests, so that none can be out of date."""

from doctest import ELLIPSIS

from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser
from sybil.parsers.rest import DocTestParser

_markdown = Sybil(
    parsers=[PythonCodeBlockParser(doctest_optionflags=ELLIPSIS), SkipParser()],
    patterns=["*.md"],
)
_docstrings = Sybil(
    parsers=[DocTestParser(optionflags=ELLIPSIS)],
    patterns=["ai_engine_quality/**/*.py", "ai_engine_quality/*.py", "lab/**/*.py"],
)

pytest_collect_file = (_markdown + _docstrings).pytest()
