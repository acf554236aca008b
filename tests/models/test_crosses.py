from models.crosses import Crosses

ROW = {"carrier": "UA", "origin": "EWR", "hour": 17.0}


def test_each_group_marks_the_values_that_its_features_have_together():
    crosses = Crosses(("hour",), ("carrier", "origin"))

    assert crosses.transform_one(ROW) == {"hour=17.0": 1.0, "carrier*origin=UA*EWR": 1.0}


def test_a_feature_that_is_missing_is_a_value_of_its_own():
    assert Crosses(("dest", "origin")).transform_one(ROW) == {"dest*origin=None*EWR": 1.0}


def test_a_copy_has_the_same_groups():
    crosses = Crosses(("hour",), ("carrier", "origin"))

    assert crosses.clone().transform_one(ROW) == crosses.transform_one(ROW)
