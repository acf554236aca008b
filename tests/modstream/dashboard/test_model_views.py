"""The views of models: of the registry and the topics together, and of either alone."""

from modstream.broker.wire.model_contracts import Metrics
from modstream.dashboard.figures import StreamFigures
from modstream.dashboard.model_views import (
    MAX_LISTED,
    MAX_VERSIONS,
    Moment,
    listed_names,
    model_summary,
    model_view,
    role_of,
    shown_versions,
)
from modstream.dashboard.registry_facts import CardFacts, ModelFacts
from tests.processors.small_fixtures import make_card

FACTS = ModelFacts({"champion": 2, "challenger": 3, "shadow": 1}, 4, "binary")


def figures_of(story):
    figures = StreamFigures(story.topics, story.route)
    figures.add(story.records, story.now)
    return figures


def write_quality(story, version, **values):
    metrics = Metrics(kind="prequential", model="online", version=version, values=values)
    story.write(story.topics.metrics, "prequential", metrics)


def view_of(story, facts, cards, name="online"):
    moment = Moment(story.now, 7)
    return model_view(name, facts, cards, figures_of(story), moment, is_in_route=True)


def test_a_model_has_its_versions_with_the_facts_of_their_cards_and_their_figures(story):
    story.publish()
    story.answer(story.ask("one"), "online", version=2)
    story.answer(story.ask("two"), "online", version=3)
    write_quality(story, 2, accuracy=0.8, window=100.0, labelled=120.0)
    write_quality(story, None, accuracy=0.7, window=100.0, labelled=220.0)
    cards = {
        number: CardFacts.of(make_card("online", number, note="of a file", parent=1))
        for number in (1, 2, 3)
    }

    view = view_of(story, FACTS, cards)
    champion = next(one for one in view.versions if one.version == 2)

    assert [one.version for one in view.versions] == [3, 2, 1]
    assert (view.champion, view.challengers, view.version_count) == (2, (3, 1), 4)
    assert (champion.role, champion.aliases, champion.source) == (
        "champion",
        ("champion",),
        "of a file",
    )
    assert champion.features == ("x", "city")
    assert (champion.published_at, champion.parent) == (1_767_225_600_000, 1)
    assert (champion.answers, champion.quality[-1].labelled) == (1, 120)
    assert champion.quality[-1].bands["accuracy"].method == "wilson"
    assert (view.main_metric, view.higher_is_better) == ("accuracy", True)
    assert view.quality[-1].values == {"accuracy": 0.7}
    assert [one.action for one in view.timeline] == ["publish"]


def test_without_the_registry_a_model_has_the_figures_of_the_topics(story):
    story.answer(story.ask("one"), "online", version=5)

    view = view_of(story, None, {})

    assert [(one.version, one.answers) for one in view.versions] == [(5, 1)]
    assert (view.is_in_registry, view.champion, view.main_metric) == (False, None, None)
    assert view.versions[0].published_at is None


def test_versions_under_an_alias_and_with_figures_are_shown_among_many(story):
    story.answer(story.ask("one"), "online", version=44)
    facts = ModelFacts({"champion": 3}, 5000, "binary")

    shown = shown_versions("online", facts, figures_of(story))

    assert len(shown) == MAX_VERSIONS
    assert list(shown) == sorted(shown, reverse=True)
    assert {3, 44, 5000} <= set(shown)


def test_the_list_has_the_route_first_and_sums_up_the_rest(story):
    asked = story.ask("one")
    for number in range(400):
        story.answer(asked, f"model-{number:03d}")
    registered = [f"registered-{number:03d}" for number in range(300)]

    names = listed_names(story.route, registered, figures_of(story))

    assert names[:2] == ("online", "frozen")
    assert names[-1] == "others"
    assert len(names) == len(set(names)) == MAX_LISTED


def test_a_line_of_the_list_has_the_newest_figure_with_its_band(story):
    story.publish()
    write_quality(story, None, mae=2.0, rmse=3.0, window=100.0, labelled=500.0)

    line = model_summary("online", FACTS, figures_of(story), is_in_route=True, now=story.now)

    assert (line.main_metric, line.value, line.labelled) == ("mae", 2.0, 500)
    assert line.band.low < 2.0 < line.band.high
    assert line.last_change.action == "publish"
    assert (line.champion, line.task, line.coverage) == (2, "binary", None)


def test_a_model_that_nobody_has_asked_has_an_empty_line(story):
    line = model_summary("frozen", None, figures_of(story), is_in_route=False, now=story.now)

    assert (line.answers, line.value, line.band, line.last_change) == (0, None, None, None)
    assert not line.is_in_registry


def test_the_role_of_a_version_is_champion_before_challenger_before_others():
    assert role_of(("challenger", "champion")) == "champion"
    assert role_of(("a", "challenger")) == "challenger"
    assert role_of(("shadow",)) == "shadow"
    assert role_of(()) == ""
