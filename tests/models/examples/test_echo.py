"""The echo model: every integer below 2**24 comes back as it went in."""

import numpy as np

from modstream.models.examples.echo import ECHO_FEATURES, FEATURE, make_echo
from modstream.models.runtimes.runtime import load


def test_every_24_bit_number_comes_back_exactly():
    draft, artifact = make_echo("echo")
    edges = [0, 1, 2**23 - 1, 2**23, 2**24 - 1]
    numbers = np.unique([*edges, *np.random.default_rng(0).integers(0, 2**24, 10_000).tolist()])
    batch = ECHO_FEATURES.batch([{FEATURE: number} for number in numbers.tolist()]).batch

    answers = load(artifact, draft.card(1, artifact)).predict(batch)

    assert np.array_equal(answers, numbers)
