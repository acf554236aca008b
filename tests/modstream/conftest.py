"""A stream's story: empty, to be told by the test, and a long one."""

import pytest

from modstream.audit.figures import Figures
from tests.modstream.stream_builder import Story


@pytest.fixture
def story() -> Story:
    return Story()


@pytest.fixture(scope="session")
def season() -> Figures:
    """The figures of a long and sound story."""
    story = Story()
    story.season(4000, days=300, swaps=40)
    return story.figures()
