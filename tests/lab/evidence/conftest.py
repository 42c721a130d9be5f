"""The measured samples, and passages of real speech where the prompts are installed."""

from pathlib import Path

import pytest
from ai_engine_lab.evidence.passages import passages
from ai_engine_lab.evidence.samples import read_samples

DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture(scope="session")
def samples():
    """Return the samples that are committed."""
    return read_samples(DOCS / "data" / "evidence-samples.csv")


@pytest.fixture(scope="session")
def spoken():
    """Return all passages, of Debian's recorded prompts."""
    return passages()
