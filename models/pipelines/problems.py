"""What is wrong with a pipeline."""

from typing import NamedTuple


class PipelineProblem(NamedTuple):
    """What is wrong with a step of a pipeline, or with the whole of it, and what to do."""

    step: str | None
    text: str

    def __str__(self) -> str:
        return self.text if self.step is None else f"step {self.step}: {self.text}"
