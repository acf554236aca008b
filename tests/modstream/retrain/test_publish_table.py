"""A model trained on a file is published, and the next one continues its schema."""

import pytest

from modstream.broker.client.admin import Admin
from modstream.experiments.journal import Journal
from modstream.registry.access import open_registry
from modstream.retrain.retrain import Publication, train_table
from modstream.retrain.table_source import TableOptions
from modstream.settings import load_settings
from tests.modstream.retrain.test_train_table import make_table

pytestmark = pytest.mark.real


def test_the_first_version_is_published_and_the_next_adds_a_feature(
    bootstrap, redis_url, prefix, tmp_path
):
    settings = load_settings(
        bootstrap=bootstrap, redis=redis_url, prefix=prefix, stream="s", home=tmp_path,
        partitions=1, train={"trials": 1, "folds": 2, "min_rows": 100},
    )  # fmt: skip
    Admin(settings.connection).create(settings.topic_specs())
    narrow, wide = tmp_path / "narrow.csv", tmp_path / "wide.csv"
    make_table().to_csv(narrow, index=False)
    make_table().assign(extra=1.5).to_csv(wide, index=False)

    with open_registry(settings) as registry:
        for path, alias in ((narrow, "champion"), (wide, "challenger")):
            options = TableOptions(str(path), label="late", time="at")
            train_table(settings, "m", options, Publication(registry, alias, "a test"))
        first, second = registry.card("m"), registry.card("m", "challenger")

    assert (first.version, first.parent, first.runtime) == (1, None, "onnx")
    assert (second.version, second.parent) == (2, 1)
    assert second.input_schema.names == (*first.input_schema.names, "extra")
    assert [one.version for one in Journal(tmp_path).read()] == [1, 2]
