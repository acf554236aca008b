"""The executors of the pipelines that were asked lately."""

from collections import OrderedDict
from typing import cast

from modstream.models.runtimes.pipeline_runtime import PipelineRuntime
from modstream.processors.pipeline.executor import PipelineExecutor
from modstream.processors.pipeline.model_step import StepModel

MAX_EXECUTORS = 64


class ExecutorCache:
    """Composes the executor of a version once, and forgets those that were not used for longest."""

    def __init__(self) -> None:
        self._executors: OrderedDict[tuple[str, int, str], PipelineExecutor] = OrderedDict()

    def executor(self, model: StepModel) -> PipelineExecutor:
        """Return the executor of a version that is a pipeline."""
        key = model.card.name, model.card.version, model.card.sha256
        found = self._executors.get(key)
        if found is None:
            pipeline = cast(PipelineRuntime, model.runtime).pipeline
            found = self._executors[key] = PipelineExecutor(pipeline)
            if len(self._executors) > MAX_EXECUTORS:
                self._executors.popitem(last=False)
        self._executors.move_to_end(key)
        return found
