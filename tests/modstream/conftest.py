"""A builder of an empty stream, the audit of a long one, and the log as it was before each test."""

from collections.abc import Iterator

import pytest
import structlog

from modstream.audit.result import AuditResult
from tests.modstream.stream_builder import StreamBuilder


@pytest.fixture(autouse=True)
def log_of_other_tests() -> Iterator[None]:
    """Restore the log's settings: a command that runs in this process changes them."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


@pytest.fixture
def story() -> StreamBuilder:
    return StreamBuilder()


@pytest.fixture(scope="session")
def season() -> AuditResult:
    """Return the audit of a long stream without faults."""
    story = StreamBuilder()
    story.season(4000, days=300, swaps=40)
    return story.audit_result()
