"""How pickles of River models store numpy's numbers, bound methods and iterators.

Python would store them as calls of `getattr`, `iter` and numpy's own functions, which can do much
more than a model needs: `getattr` reaches any attribute, and a crafted dtype any memory. Here each
kind has a function that restores only plain values; these functions are on the allow-list instead.
"""

import copyreg
import types
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from modstream.models.errors import ForbiddenGlobal, UnreadableArtifact

_DTYPES = frozenset({"|b1", "|i1", "|u1"}) | {
    f"<{kind}{size}" for kind in "iuf" for size in (2, 4, 8)
}
METHODS = frozenset(
    {
        "builtins:str.lower",
        "random:Random.gauss",
        "river.bandit.thompson:ThompsonSampling._clone_reward_obj_with_seed",
        "river.drift.dummy:DummyDriftDetector._fixed_trigger",
        "river.drift.dummy:DummyDriftDetector._random_trigger",
        "river.drift.page_hinkley:PageHinkley._test_both",
        "river.drift.page_hinkley:PageHinkley._test_decrease",
        "river.drift.page_hinkley:PageHinkley._test_increase",
        "river.ensemble.bagging:LeveragingBaggingClassifier._leveraging_bag",
        "river.ensemble.bagging:LeveragingBaggingClassifier._leveraging_bag_half",
        "river.ensemble.bagging:LeveragingBaggingClassifier._leveraging_bag_me",
        "river.ensemble.bagging:LeveragingBaggingClassifier._leveraging_subag",
        "river.ensemble.bagging:LeveragingBaggingClassifier._leveraging_bag_wt",
        "river.feature_extraction.kernel_approx:RBFSampler._random_weights",
        "river.linear_model.pa:PAClassifier._calc_tau_0",
        "river.linear_model.pa:PAClassifier._calc_tau_1",
        "river.linear_model.pa:PAClassifier._calc_tau_2",
        "river.linear_model.pa:PARegressor._calc_tau_0",
        "river.linear_model.pa:PARegressor._calc_tau_1",
        "river.linear_model.pa:PARegressor._calc_tau_2",
        "river.multiclass.occ:OutputCodeClassifier._next_code",
        "river.preprocessing.random_projection:GaussianRandomProjector._rand_gauss",
        "river.preprocessing.random_projection:SparseRandomProjector._rand_weights_for_feature",
        "river.preprocessing.scale_target:TargetMinMaxScaler._scale",
        "river.preprocessing.scale_target:TargetMinMaxScaler._unscale",
        "river.preprocessing.scale_target:TargetStandardScaler._scale",
        "river.preprocessing.scale_target:TargetStandardScaler._unscale",
    }
)
"""The methods that models store, as "module:class.method"; bandits store `clone` of any class."""


def restore_array(dtype: str, shape: tuple[int, ...], order: Any, data: bytes) -> NDArray[Any]:  # noqa: ANN401 - "C" or "F"
    """Return an array of plain numbers.

    Raises:
        UnreadableArtifact: the type is none of the plain ones, or the data do not fit.
    """
    if dtype not in _DTYPES or type(data) is not bytes or order not in {"C", "F"}:
        raise UnreadableArtifact("river", "it contains an array of something else than numbers")
    return np.frombuffer(data, np.dtype(dtype)).reshape(shape).copy(order)


def restore_number(dtype: str, data: bytes) -> Any:  # noqa: ANN401 - any of numpy's numbers
    """Return a number of one of numpy's types.

    Raises:
        UnreadableArtifact: see `restore_array`.
    """
    return restore_array(dtype, (1,), "C", data)[0]


def restore_random_state(
    keys: bytes, position: int, has_gauss: int, gauss: float
) -> np.random.RandomState:
    """Return a generator of random numbers in its former state."""
    state = np.random.RandomState(0)
    numbers = np.frombuffer(keys, np.uint32)
    state.set_state(("MT19937", numbers, position, has_gauss, gauss))
    return state


def restore_method(owner: object, name: str) -> Any:  # noqa: ANN401 - any method
    """Return a method of an object, or of a class, that models are known to store.

    Raises:
        ForbiddenGlobal: it is another one.
    """
    _check_method(owner, name)
    return getattr(owner, name)


def restore_iterator(items: list[Any]) -> Iterator[Any]:
    """Return an iterator over a list."""
    return iter([*items])


def _check_method(owner: object, name: str) -> None:
    owner_class = owner if isinstance(owner, type) else type(owner)
    qualified = f"{owner_class.__module__}:{owner_class.__qualname__}.{name}"
    is_clone = name == "clone" and owner_class.__module__.startswith("river.")
    if qualified not in METHODS and not is_clone:
        raise ForbiddenGlobal(qualified)


def _reduce_array(array: NDArray[Any]) -> tuple[Any, ...]:
    dtype = array.dtype.newbyteorder("<").str
    if dtype not in _DTYPES:
        raise ForbiddenGlobal(f"numpy:dtype({array.dtype.str!r})")
    order = "C" if array.flags.c_contiguous or not array.flags.f_contiguous else "F"
    data = array.astype(dtype, copy=False).tobytes("C")
    return restore_array, (dtype, array.shape, order, data)


def _reduce_number(number: np.generic) -> tuple[Any, ...]:
    dtype, _, _, data = _reduce_array(np.array([number]))[1]
    return restore_number, (dtype, data)


def _reduce_text(text: np.str_) -> tuple[Any, ...]:
    return str, (str(text),)


def _reduce_random_state(state: np.random.RandomState) -> tuple[Any, ...]:
    algorithm, keys, position, has_gauss, gauss = cast(Any, state.get_state(legacy=True))
    if algorithm != "MT19937":
        raise ForbiddenGlobal(f"numpy.random:{algorithm}")
    return restore_random_state, (keys.astype("<u4").tobytes(), position, has_gauss, gauss)


def _reduce_method(method: types.MethodType) -> tuple[Any, ...]:
    _check_method(method.__self__, method.__name__)
    return restore_method, (method.__self__, method.__name__)


def _reduce_method_of_class(method: types.MethodDescriptorType) -> tuple[Any, ...]:
    _check_method(method.__objclass__, method.__name__)
    return restore_method, (method.__objclass__, method.__name__)


def _reduce_iterator(iterator: Any) -> tuple[Any, ...]:  # noqa: ANN401 - a list's iterator
    _, (items, *_), *position = iterator.__reduce__()
    return restore_iterator, ([*items[position[0] if position else 0 :]],)


REDUCERS: Mapping[type, Callable[[Any], Any]] = MappingProxyType(
    {
        **copyreg.dispatch_table,
        np.ndarray: _reduce_array,
        np.random.RandomState: _reduce_random_state,
        np.str_: _reduce_text,
        types.MethodType: _reduce_method,
        types.MethodDescriptorType: _reduce_method_of_class,
        type(iter([])): _reduce_iterator,
        **dict.fromkeys(
            (np.bool_, np.float16, np.float32, np.float64, np.int8, np.int16, np.int32, np.int64),
            _reduce_number,
        ),
        **dict.fromkeys((np.uint8, np.uint16, np.uint32, np.uint64), _reduce_number),
    }
)
"""The functions that take apart values of these types, as in `pickle.Pickler.dispatch_table`."""
