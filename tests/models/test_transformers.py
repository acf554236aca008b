"""Feature crosses and clipping."""

from modstream.models.transformers import Clip, Crosses

ROW = {"carrier": "UA", "origin": "EWR", "hour": 17.0}


def test_each_group_becomes_one_feature_named_after_its_values():
    crosses = Crosses(("hour",), ("carrier", "origin"))

    assert crosses.transform_one(ROW) == {"hour=17.0": 1.0, "carrier*origin=UA*EWR": 1.0}


def test_a_missing_feature_has_the_value_none():
    assert Crosses(("dest", "origin")).transform_one(ROW) == {"dest*origin=None*EWR": 1.0}


def test_a_clone_has_the_same_groups():
    crosses = Crosses(("hour",), ("carrier", "origin"))

    assert crosses.clone().transform_one(ROW) == crosses.transform_one(ROW)


def test_numbers_are_clipped_to_the_bound():
    clip = Clip(3.0).clone()

    assert clip.transform_one({"a": 2.5, "b": -7.0, "c": 1e300}) == {"a": 2.5, "b": -3.0, "c": 3.0}
