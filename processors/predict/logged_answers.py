"""The answers of a batch for the inference log, read from its responses."""

from collections import defaultdict
from collections.abc import Sequence

import msgspec

from modstream.broker.wire.fast_codec import json_numbers
from modstream.broker.wire.inference_record import InferenceOutcome
from modstream.broker.wire.records import ProducerRecord
from modstream.broker.wire.topics import CONNECT_ERROR_PREFIX, Topics
from modstream.processors.errors import DeadlineExceeded
from modstream.processors.predict.inference_columns import (
    NO_ANSWER,
    AskedColumns,
    answer_head,
    write_answers,
)
from modstream.processors.predict.log_settings import InferenceLogSettings
from modstream.processors.predict.logged_values import PredictedValues, ValueSelection, read_values
from modstream.processors.predict.outputs import JsonColumns
from modstream.processors.predict.responses import is_prediction
from modstream.processors.predict.settings import InferenceSettings
from modstream.processors.predict.state import BatchState

CODE_HEADER = f"{CONNECT_ERROR_PREFIX}class.name"
TOO_LARGE = b',"omitted":"the values are too large for the topic of the inference log"'


class ErrorFacts(msgspec.Struct, frozen=True, gc=False):
    """The code of an encoded `ErrorResponse`, and the model that it names."""

    code: str
    model: str | None = None


_decode_error = msgspec.json.Decoder(ErrorFacts).decode


class BatchLogWriter:
    """Writes the answers of one batch; `selected` are the requests whose values are logged."""

    def __init__(
        self,
        topics: Topics,
        settings: InferenceLogSettings,
        inference: InferenceSettings,
        state: BatchState,
        asked: AskedColumns,
    ) -> None:
        self._settings = settings
        self._inference = inference
        self._state = state
        self._asked = asked
        self._columns = state.responses.responses()
        self._selection = ValueSelection(settings)
        self._dead_letters = topics.dlq
        self._milliseconds: defaultdict[str, float] = defaultdict(float)
        for cost in state.costs:
            self._milliseconds[cost.model] += cost.seconds * 1000
        self._heads: dict[tuple[str, int | None], bytes] = {}
        self.selected: set[int] = set()
        if not self._selection.is_empty:
            includes = self._selection.includes
            self.selected = {at for at, one in enumerate(asked.ids) if includes(one)}

    def write(self) -> tuple[JsonColumns, list[bytes] | None]:
        """Return the answers at each position, and the features or why they are absent."""
        if not self.selected and (uniform := self._uniform()):
            return uniform, None
        answers, details = self._write_each()
        return (answers,), details

    def _uniform(self) -> JsonColumns:
        """Return the answers if one version has predicted everything, as most often; else none."""
        served = self._state.served
        if len(self._columns) != 1 or len(served) != 1:
            return ()
        (((model, ref, _), positions),) = served.items()
        responses = [one for one in self._columns[0] if one is not None]
        if not len(positions) == len(responses) == len(self._asked.ids):
            return ()
        sizes: list[float] = [len(response[2] or b"") for response in responses]
        return (self._request_head(model, ref), json_numbers(sizes), b"}]")

    def _write_each(self) -> tuple[list[bytes], list[bytes] | None]:
        answers = self._predicted() if len(self._columns) == 1 else [b""] * len(self._asked.ids)
        details: list[bytes] | None = [b""] * len(self._asked.ids) if self.selected else None
        redacted = self._redacted_names() if self.selected else frozenset()
        for position, written in enumerate(answers):
            if not written or position in self.selected:
                values = redacted if position in self.selected else None
                answers[position], detail = self._write_one(position, values)
                if details is not None:
                    details[position] = detail
        return answers, details

    def write_without_values(self, oversize: set[int]) -> tuple[JsonColumns, list[bytes]]:
        """Return the same, without the features and outputs at some positions."""
        self.selected -= oversize
        answers, details = self._write_each()
        details = details or [b""] * len(answers)
        for position in oversize:
            details[position] = TOO_LARGE
        return (answers,), details

    def _predicted(self) -> list[bytes]:
        """Return the answers where a single model predicted, and nothing at other positions."""
        written = [b""] * len(self._asked.ids)
        (column,) = self._columns
        for (model, ref, _), positions in self._state.served.items():
            head = self._request_head(model, ref)
            for position in positions:
                response = column[position]
                if response is not None:
                    written[position] = b"%b%d}]" % (head, len(response[2] or b""))
        return written

    def _request_head(self, model: str, ref: int | str) -> bytes:
        """Return the JSON of a request that one model has predicted, up to the number of bytes."""
        found = self._state.resolver.find_resolved(model, ref)
        version = None if found is None else found.card.version
        return write_answers(InferenceOutcome.ANSWERED, [self._head(model, version)])[:-1]

    def _head(self, model: str, version: int | None) -> bytes:
        """Return the JSON of a model's answer up to the number of its bytes."""
        head = self._heads.get((model, version))
        if head is None:
            spent = self._milliseconds.get(model)
            head = answer_head(InferenceOutcome.ANSWERED, model, version, None, spent)
            self._heads[model, version] = head
        return head

    def _write_one(self, position: int, redacted: frozenset[str] | None) -> tuple[bytes, bytes]:
        """Return the outcome and the answers of one request, and its features."""
        answers, outcomes, detail = [], [], b""
        for column in self._columns:
            response = column[position]
            if response is None:
                continue
            outcome, head = self._describe(position, response)
            outcomes.append(outcome)
            outputs = None
            if redacted is not None and outcome is InferenceOutcome.ANSWERED:
                values = read_values(response.value or b"")
                outputs = self._selection.outputs(values, redacted)
                detail = detail or self._features(values, redacted)
            shown = b"" if outputs is None else b',"outputs":' + outputs
            answers.append(b"%b%d%b}" % (head, len(response.value or b""), shown))
        if not answers:
            return NO_ANSWER, b""
        return write_answers(outcome_of(outcomes), answers), detail

    def _features(self, values: PredictedValues, redacted: frozenset[str]) -> bytes:
        if self._settings.features and values.features_omitted is not None:
            return b',"omitted":' + msgspec.json.encode(values.features_omitted)
        features = self._selection.features(values, redacted)
        return b"" if features is None else b',"features":' + features

    def _describe(self, position: int, response: ProducerRecord) -> tuple[InferenceOutcome, bytes]:
        """Return the outcome of one response, and its JSON up to the number of its bytes."""
        if is_prediction(response):
            name, _, number = (response.headers[1][1] or b"").decode().rpartition("/")
            return InferenceOutcome.ANSWERED, self._head(name, int(number))
        named: str | None = None
        if response.topic == self._dead_letters:
            code = (dict(response.headers).get(CODE_HEADER) or b"").decode(errors="replace")
            outcome = InferenceOutcome.DEAD_LETTER
        else:
            facts = _decode_error(response.value or b"")
            code, named = facts.code, facts.model
            is_late = code == DeadlineExceeded.code
            outcome = InferenceOutcome.EXPIRED if is_late else InferenceOutcome.ERROR
        model, version = self._failed(position, named)
        milliseconds = self._milliseconds.get(model) if model else None
        return outcome, answer_head(outcome, model, version, code, milliseconds)

    def _failed(self, position: int, model: str | None) -> tuple[str | None, int | None]:
        """Return the model that refused a request, with its version; neither if unknown.

        A name that a client invented is not a model: the log names as few as there are.
        """
        request_id = self._asked.ids[position]
        asked_model, asked_version = self._asked.models[position], self._asked.versions[position]
        if model is None or request_id is None or asked_version is None:
            return None, None
        key = self._state.batch.records[position].key
        key = request_id.encode() if key is None else key
        ref = self._inference.ref_for(asked_model, asked_version, key)
        found = self._state.resolver.find_resolved(model, ref)
        if found is not None:
            return model, found.card.version
        return (model if model in self._inference.route else None), None

    def _redacted_names(self) -> frozenset[str]:
        """Return the names to redact: those of the settings, and the marks of all models asked."""
        cards = self._state.resolver.resolved_cards()
        marked = (card.input_schema.sensitive_names for card in cards)
        return frozenset(self._settings.redact).union(*marked)


def outcome_of(outcomes: Sequence[InferenceOutcome]) -> InferenceOutcome:
    """Return the outcome of a request, given those of its answers; there is at least one."""
    if len(set(outcomes)) > 1 and InferenceOutcome.ANSWERED in outcomes:
        return InferenceOutcome.PARTLY_ANSWERED
    return outcomes[0]
