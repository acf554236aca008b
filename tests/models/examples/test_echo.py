"""The echo model returns every integer below 2**24 exactly."""

import numpy as np

from modstream.models.examples.echo import ECHO_FEATURE, ECHO_SCHEMA, make_echo
from modstream.models.runtimes.runtime import load
from modstream.models.schema.artifact import Artifact


def test_every_24_bit_integer_is_returned_exactly():
    spec, artifact = make_echo("echo")
    edges = [0, 1, 2**23 - 1, 2**23, 2**24 - 1]
    numbers = np.unique([*edges, *np.random.default_rng(0).integers(0, 2**24, 10_000).tolist()])
    batch = ECHO_SCHEMA.parse_rows([{ECHO_FEATURE: number} for number in numbers.tolist()]).batch

    outputs = load(Artifact(artifact), spec.make_card(1, Artifact(artifact))).predict(batch)

    assert np.array_equal(outputs, numbers)
