"""Tables of true and predicted classes."""

from modstream.experiments.confusion import confusions_of


def test_two_classes_are_counted_at_a_half_and_at_the_threshold():
    half, cheap = confusions_of([0, 0, 1, 1], [0.1, 0.3, 0.4, 0.9], "binary", ("no", "yes"), 0.3)

    assert (half.threshold, half.counts) == (0.5, ((2, 0), (1, 1)))
    assert (cheap.threshold, cheap.counts) == (0.3, ((1, 1), (0, 2)))
    assert half.classes == ("no", "yes")
    assert len(confusions_of([0, 1], [0.1, 0.9], "binary", ("no", "yes"), None)) == 1


def test_several_classes_are_counted_by_their_position_whatever_their_names():
    predictions = [{"0": 0.7, "1": 0.2, "2": 0.1}, {"0": 0.1, "1": 0.2, "2": 0.7}]

    (found,) = confusions_of(["0", "1"], predictions, "multiclass", (2, 1, 0), None)

    assert found.classes == ("2", "1", "0")
    assert found.counts == ((1, 0, 0), (0, 0, 1), (0, 0, 0))


def test_other_tasks_and_many_classes_have_no_table():
    assert confusions_of([1.5], [1.0], "regression", (), None) == ()
    assert confusions_of(["0"], [{"0": 1.0}], "multiclass", tuple(range(31)), None) == ()
