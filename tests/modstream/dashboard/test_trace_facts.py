"""The facts of a request: in the order of their times, without values unless asked for."""

import json
from dataclasses import asdict

from modstream.broker.wire.contracts import UnjoinedReason
from modstream.dashboard.request_search import request_view
from modstream.dashboard.trace_facts import MAX_FACTS, MAX_VALUE, trace_facts
from tests.modstream.operations.trace.traces import trace, version_marker


def facts_of(story, name, *, with_values=False):
    return trace_facts(trace(story, name), with_values=with_values)


def test_the_facts_of_a_learned_request_are_in_the_order_of_their_times(story):
    story.flight("mine")
    story.publish()

    facts = facts_of(story, "mine")

    assert [one.kind for one in facts] == [
        "request",
        "label",
        "feedback",
        "learning",
        "prediction",
        "prediction",
    ]
    assert [one.at for one in facts] == sorted(one.at for one in facts)
    assert facts[0].sentence == "The request arrived, for each model of the route."
    assert facts[2].sentence == "The label was joined with 2 predictions."
    assert "losses" not in {**facts[2].details, **facts[2].values}
    assert facts[3].sentence == "online: learned by version 1."
    assert facts[4].sentence == "online version 1 answered."
    assert facts[4].position.startswith("flights.predictions:")


def test_values_of_the_request_are_left_out_unless_they_are_asked_for(story):
    story.flight("mine", 0.8125)

    hidden = json.dumps([asdict(one) for one in facts_of(story, "mine")])
    shown = json.dumps([asdict(one) for one in facts_of(story, "mine", with_values=True)])

    for value in ("EWR", "0.8125", "online v1 log_loss"):
        assert value not in hidden
        assert value in shown


def test_refusals_dead_letters_and_unjoined_labels_are_facts(story):
    asked = story.ask("mine", model="ghost")
    story.reject(asked, "ghost", "unknown_model")
    story.dead_letter(asked)
    story.set_aside("mine", UnjoinedReason.REFUSED)

    sentences = {one.kind: one.sentence for one in facts_of(story, "mine")}

    assert sentences["request"] == "The request arrived, for ghost."
    assert sentences["refusal"] == "The request was refused: unknown_model."
    assert sentences["dead_letter"] == "The request became a dead letter: not_json."
    assert sentences["unjoined"] == "Not joined: refused."


def test_a_prediction_names_the_artifact_that_made_it(story):
    asked = story.ask("mine")
    story.answer(asked, "online")
    marker = version_marker(asked)

    found = trace(story, "mine", version_markers=[marker])
    prediction = trace_facts(found, with_values=False)[1]

    assert prediction.details["sha256"] == marker.sha256
    assert prediction.details["parent"] == 7


def test_long_values_are_cut(story):
    story.answer(story.ask("mine"), "online", outputs={"label": "x" * 9000})

    (prediction,) = [
        one for one in facts_of(story, "mine", with_values=True) if one.kind == "prediction"
    ]

    assert len(prediction.values["outputs"]) == MAX_VALUE + 1


def test_the_number_of_facts_is_bounded_and_the_others_are_counted(story):
    asked = story.ask("mine")
    for _ in range(MAX_FACTS + 20):
        story.answer(asked, "online")

    view = request_view(trace(story, "mine"), "mine", "", True, 0.12345, with_values=False)

    assert len(view.facts) == MAX_FACTS
    assert view.left_out == 21
    assert (view.is_found, view.is_complete, view.seconds) == (True, True, 0.123)
