"""FastAPI with ONNX Runtime: what a web developer writes in an afternoon.

Served by `uvicorn app:app`, with uvloop and httptools.
"""

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from tensors import PATH, Model

app, model = FastAPI(), Model()


class Tensor(BaseModel):
    """A tensor of a call."""

    name: str
    shape: list[int]
    datatype: str
    data: list[float]


class Call(BaseModel):
    """A call of the Open Inference Protocol."""

    inputs: list[Tensor]
    id: str = ""


@app.post(PATH)
async def infer(call: Call) -> dict[str, Any]:
    """Answer a call."""
    return model.infer(call.model_dump())
