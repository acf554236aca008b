"""A builder of an empty stream, and the audit of a long one."""

import pytest

from modstream.audit.result import AuditResult
from tests.modstream.stream_builder import StreamBuilder


@pytest.fixture
def story() -> StreamBuilder:
    return StreamBuilder()


@pytest.fixture(scope="session")
def season() -> AuditResult:
    """Return the audit of a long stream without faults."""
    story = StreamBuilder()
    story.season(4000, days=300, swaps=40)
    return story.audit_result()
