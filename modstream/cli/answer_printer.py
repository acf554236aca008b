"""Prints the answers of `modstream predict` as they arrive."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from modstream.broker.wire.contracts import Prediction
from modstream.cli.answers import (
    Explanation,
    answer_document,
    explanation_document,
    explanation_lines,
    prediction_lines,
    short_line,
)
from modstream.cli.output import stdout
from modstream.cli.output_names import describe_outputs
from modstream.models.errors import ModelError
from modstream.models.registry.registry import Registry
from modstream.models.schema.card import ModelCard
from modstream.producers.client.request_window import Answer

SCORE_OUTPUTS = frozenset({"probability", "margin", "score"})
"""Outputs whose meaning is printed beside them."""


class AnswerPrinter:
    """Prints answers as text or as lines of JSON, with explanations or without.

    Aliases come from the registry; without it, versions are printed without aliases.
    """

    def __init__(self, registry: Registry, *, explain: bool, as_json: bool) -> None:
        self._registry = registry
        self._known_aliases: dict[str, Mapping[str, int]] = {}
        self._explain = explain
        self._as_json = as_json

    def print_one(self, answer: Answer, card: ModelCard | None) -> None:
        """Print the answer to a single row; a refusal is printed only as JSON or explained."""
        response = answer.response
        if self._as_json:
            self._print_document(answer)
            return
        if isinstance(response, Prediction):
            meanings = {} if card is None else dict(describe_outputs(card))
            shown = {name: text for name, text in meanings.items() if name in SCORE_OUTPUTS}
            for line in prediction_lines(
                answer, response, self._aliases(answer), shown, stdout.width
            ):
                print_line(line)
        self._print_explanation(answer)

    def print_row(self, answer: Answer) -> None:
        """Print the answer to one of many rows in one line."""
        if self._as_json:
            self._print_document(answer)
            return
        print_line(short_line(answer))
        self._print_explanation(answer)

    def _print_explanation(self, answer: Answer) -> None:
        if self._explain:
            for line in explanation_lines(Explanation(answer, self._aliases(answer)), stdout.width):
                print_line(line)

    def _print_document(self, answer: Answer) -> None:
        aliases = self._aliases(answer)
        document: dict[str, Any] = answer_document(answer, aliases)
        if self._explain:
            document["explanation"] = explanation_document(Explanation(answer, aliases))
        print_line(json.dumps(document))

    def _aliases(self, answer: Answer) -> Mapping[tuple[str, int], Sequence[str]]:
        """Return the aliases of the versions that answered."""
        found: dict[tuple[str, int], list[str]] = {}
        for response in answer.pending.responses.values():
            if isinstance(response, Prediction):
                aliases = self._aliases_of(response.model)
                names = [name for name, version in aliases.items() if version == response.version]
                found[response.model, response.version] = sorted(names)
        return found

    def _aliases_of(self, model: str) -> Mapping[str, int]:
        """Return the version of each alias of a model; none if the registry does not answer."""
        if model not in self._known_aliases:
            try:
                self._known_aliases[model] = self._registry.aliases(model)
            except ModelError:
                self._known_aliases[model] = {}
        return self._known_aliases[model]


def print_line(text: str) -> None:
    """Print one line, unwrapped and without markup."""
    stdout.out(text, highlight=False)
