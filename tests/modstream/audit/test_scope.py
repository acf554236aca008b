"""The audit of a stream that runs on: what waits is no fault, what is lost is one."""

from html import escape

from rich.console import Console

from modstream.audit.result import AuditResult, evaluate
from modstream.audit.scope import AuditScope
from modstream.audit.stream_audit import StreamAudit
from modstream.broker.wire.records import Record, TopicPartition
from modstream.broker.wire.topics import Header
from modstream.models.evaluation.version_classes import VersionClasses
from modstream.report.absent_parts import absent_parts
from modstream.report.console import print_report
from modstream.report.page import render_page


def scope_of(story, *, before=(), answered=(), labelled=(), joined=()) -> AuditScope:
    """Return a scope from the records `before` it, and those that the services have not read.

    `answered`, `labelled` and `joined` are the first requests, labels and predictions that wait.
    """
    topics, ranges = story.topics, {}
    for topic, stops in ((topics.requests, answered), (topics.labels, labelled)):
        for partition, log in story._logs(topic):
            own = [one.offset for one in stops if one.topic_partition == partition]
            first = [one.offset + 1 for one in before if one.topic_partition == partition]
            ranges[partition] = (max(first, default=0), min(own, default=len(log)))
    stops = {one.topic_partition: one.offset for one in joined}
    ends = {one: len(log) for one, log in story._logs(topics.predictions)}
    return AuditScope(ranges, ends | stops)


def audited(story, scope: AuditScope | None) -> AuditResult:
    audit = StreamAudit(
        *(story.topics, story.route), versions=VersionClasses(story.find_card), scope=scope
    )
    for record in story.records:
        audit.add(record)
    return evaluate(audit)


def newest(story, topic: str) -> Record:
    return max(story.broker.read(topic), key=lambda one: (one.timestamp, one.offset))


def test_a_request_that_no_worker_has_read_waits(story):
    story.flight("answered")
    waiting = story.ask("waiting")

    result = audited(story, scope_of(story, answered=[waiting]))

    assert result.is_sound
    assert (result.delivery.requests, result.delivery.waiting) == (1, 1)
    assert audited(story, None).faults == {"missing responses": 2}


def test_a_request_that_a_worker_has_passed_without_a_response_is_lost(story):
    story.flight("answered")
    story.ask("lost")

    assert audited(story, scope_of(story)).faults == {"missing responses": 2}


def test_responses_to_requests_before_the_span_are_no_phantoms(story):
    story.flight("early")
    early = story.asked("early")
    story.flight("late")

    result = audited(story, scope_of(story, before=[early, newest_label(story, "early")]))

    assert result.is_sound
    assert result.delivery.requests == 1
    assert result.delivery.models[0].predictions == 1


def newest_label(story, name: str) -> Record:
    found = story.broker.read(story.topics.labels)
    return next(one for one in found if one.key == name.encode())


def test_a_label_that_the_joiner_has_not_read_waits(story):
    asked = story.ask("one")
    for model in story.route:
        story.answer(asked, model)
    story.label("one")
    label = newest_label(story, "one")

    result = audited(story, scope_of(story, labelled=[label]))

    assert result.is_sound
    assert (result.labels.sent, result.labels.waiting) == (0, 1)


def test_a_label_waits_while_the_joiner_has_not_read_its_prediction(story):
    asked = story.ask("one")
    for model in story.route:
        story.answer(asked, model)
    story.label("one")
    predictions = story.broker.read(story.topics.predictions)

    waiting = audited(story, scope_of(story, joined=predictions[:1]))
    lost = audited(story, scope_of(story))

    assert (waiting.faults, waiting.labels.waiting) == ({}, 1)
    assert (lost.faults, lost.labels.waiting) == ({"labels not accounted for": 1}, 0)


def test_a_label_without_a_prediction_waits(story):
    story.flight("other")
    story.label("early bird")

    result = audited(story, scope_of(story))

    assert (result.faults, result.labels.waiting) == ({}, 1)
    assert audited(story, None).faults == {"labels not accounted for": 1}


def test_the_joiners_copy_of_a_label_is_not_another_label(story):
    story.flight("one")
    label = newest_label(story, "one")
    headers = ((Header.FORWARDED_FROM, b"flights.labels:0:7"),)
    story.write(story.topics.labels, "one", label.value, headers)

    result = audited(story, scope_of(story))

    assert result.is_sound
    assert result.labels.sent == 1


def test_versions_that_learned_feedback_outside_the_scope_are_not_checked(story):
    story.flight("forgotten")
    story.publish()
    story.flight("kept")
    story.publish(rows_learned=7)
    feedback = dict(story._logs(story.topics.feedback))
    ranges = {one: (len(log), len(log)) for one, log in feedback.items()}
    whole = {one: (0, len(log)) for one, log in feedback.items()}

    partial = audited(story, AuditScope(scope_of(story).ranges | ranges, scope_of(story).joined))
    full = audited(story, AuditScope(scope_of(story).ranges | whole, scope_of(story).joined))

    assert partial.faults == {}
    assert full.faults == {"rows learned twice by online": 5}


def test_a_report_without_labels_or_a_learner_leaves_these_parts_out_and_says_so(story):
    for number in range(40):
        asked = story.ask(f"{number}")
        for model in story.route:
            story.answer(asked, model)
    waiting = story.ask("waiting")

    result = audited(story, scope_of(story, answered=[waiting]))
    console = Console(width=80, force_terminal=False)
    with console.capture() as capture:
        print_report(result, console)
    text, page = capture.get(), render_page(result)

    assert text.startswith("SOUND  Each of 40 requests has exactly one response per model")
    assert "labels is accounted for" not in text
    for part in ("Labels by outcome", "AUC ", "Learning: the chain", "log loss"):
        assert part not in text
    assert "AUC over event time" not in page
    for sentence in absent_parts(result):
        assert sentence in text
        assert escape(sentence) in page
    assert any(one.startswith("No labels") for one in absent_parts(result))
    assert any(one.startswith("No learner") for one in absent_parts(result))
    assert any("wait for a worker" in one and "1." in one for one in absent_parts(result))


def test_models_that_answer_and_are_not_on_the_route_are_named(story):
    asked = story.ask("one")
    for model in (*story.route, "stranger"):
        story.answer(asked, model)

    result = audited(story, scope_of(story))

    assert result.faults == {"phantom responses": 1}
    sentence = "Models that are not on the route have answered, too: stranger."
    assert sentence in absent_parts(result)


def test_offsets_are_placed_before_inside_and_after_a_range():
    partition = TopicPartition("flights.requests", 0)
    scope = AuditScope({partition: (5, 8)})

    assert [scope.place(partition, at).value for at in (4, 5, 7, 8)] == [
        *("before", "inside"),
        *("inside", "after"),
    ]
    assert scope.place(TopicPartition("flights.requests", 1), 99).value == "inside"
