"""The pages of experiments: filter, order, selection, and what they compare."""

import re

from modstream.dashboard.experiment_views import fact_rows, filtered, fold_rows
from tests.modstream.dashboard.experiments import sample_experiments
from tests.modstream.dashboard.web.dashboards import Dashboard
from tests.modstream.dashboard.web.views_of_state import StateOfViews

IDS = "aaaa1111,bbbb2222,cccc3333"


def page(path, kind="full"):
    return Dashboard.of(StateOfViews(kind)).browser().get(path)


def listed(path):
    return re.findall(r'href="/experiments/(\w{8})"', page(path).text)


def test_the_list_is_filtered_by_text_model_and_state():
    assert listed("/experiments") == ["cccc3333", "bbbb2222", "aaaa1111"]
    assert listed("/experiments?state=rejected") == ["bbbb2222"]
    assert listed("/experiments?text=BOOSTING") == ["aaaa1111"]
    assert listed("/experiments?model=online&state=failed") == ["cccc3333"]
    assert listed("/experiments?state=<b>&model=") == ["cccc3333", "bbbb2222", "aaaa1111"]
    assert "None of 3 experiments is so" in page("/experiments?text=nothing").text
    assert 'value="rejected" selected' in page("/experiments?state=rejected").text


def test_the_list_is_sorted_with_unknown_figures_last():
    assert listed("/experiments?sort=-value") == ["aaaa1111", "bbbb2222", "cccc3333"]
    assert listed("/experiments?sort=time") == ["aaaa1111", "bbbb2222", "cccc3333"]
    assert 'aria-sort="descending"' in page("/experiments?sort=-folds").text


def test_long_lists_are_shown_in_parts_and_keep_their_filter():
    text = page("/experiments?state=accepted", "long").text

    assert "1–50 of 10,001 experiments" in text
    assert "/experiments?state=accepted&amp;page=2" in text


def test_selected_experiments_lead_to_their_comparison():
    client = Dashboard.of(StateOfViews()).browser()

    def target(query):
        return client.get(f"/experiments/compare{query}").headers["location"]

    assert target("?id=aaaa1111&id=bbbb2222") == "/experiments/aaaa1111,bbbb2222"
    assert target("") == "/experiments"
    assert target("?id=//evil.example&id=a%0d%0ab") == "/experiments/%2F%2Fevil.example,a%0D%0Ab"
    assert target("?id=1,2") == "/experiments"


def test_a_comparison_shows_folds_slices_classes_and_what_differs():
    text = page(f"/experiments/{IDS}").text

    for part in (
        "0.7389", "± 0.0224", "carrier: FL", "predicted True", "by the costs of errors",
        "What is the same", "e5e5", "ab" * 32, 'href="/models/online#version-12"',
        "there are 12 labelled rows", "higher is better",
    ):  # fmt: skip
        assert part in text
    differing = re.search('id="differing-title".*?<details', text, re.DOTALL)[0]
    assert "setting budget seconds" in differing
    assert "setting trials" not in differing


def test_one_experiment_shows_its_trials_and_all_facts():
    text = page("/experiments/aaaa1111").text

    assert "max iter 160, learning rate 0.0612" in text
    assert "d4" * 32 in text
    assert "What differs" not in text


def test_an_unknown_experiment_is_not_found_and_an_unreadable_journal_is_said():
    assert page("/experiments/ffff0000").status_code == 404
    assert page("/experiments/aaaa1111,ffff0000").status_code == 404
    for path in ("/experiments", f"/experiments/{IDS}"):
        assert "Permission denied" in page(path, "error").text


def test_pages_need_a_key_where_all_do():
    client = Dashboard.of(StateOfViews(), needs_key=True).browser()

    for path in ("/experiments", f"/experiments/{IDS}", "/experiments/compare?id=a"):
        assert client.get(path).headers["location"].startswith("/sign-in")


def test_rows_have_a_place_for_what_an_experiment_lacks():
    compared = sample_experiments()

    assert [row.values[0] for row in fold_rows(compared)] == [None] * 4
    parameters = {row.name: row.values for row in fact_rows(compared)}
    assert parameters["parameter C"] == (None, 1.0, None)
    assert [row.one.id for row in filtered(compared, "", "", "7BE2")] == ["cccc3333", "aaaa1111"]
