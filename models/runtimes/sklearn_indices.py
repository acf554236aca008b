"""Checks of the positions that a rebuilt scikit-learn model follows without a check of its own.

Compiled code of scikit-learn and SciPy reads arrays at positions that the model stores: the
children and features of trees, the points of search trees, the columns of sparse matrices, the
knots of splines. A made-up position would read memory outside the array.
"""

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
from scipy import sparse
from scipy.interpolate import BSpline
from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
from sklearn.neighbors import BallTree, KDTree
from sklearn.tree._tree import Tree

from modstream.models.errors import UnreadableArtifact


def check_indices(model: object) -> None:
    """Raise if a part of a rebuilt model has a position outside of what it points into.

    Raises:
        UnreadableArtifact: one has.
    """
    for part, width in _parts(model):
        if not _is_sound(part, width):
            reason = f"a {type(part).__name__} has positions outside of its own data"
            raise UnreadableArtifact("sklearn", reason)


def has_finite_splits(model: object) -> bool:
    """Return whether float32 has all thresholds of a model's trees.

    A split of missing values from all others has an infinite threshold.
    """
    for part, _ in _parts(model):
        if isinstance(part, Tree):
            with np.errstate(over="ignore"):
                thresholds = part.threshold[part.children_left != -1].astype(np.float32)
            if not np.isfinite(thresholds).all():
                return False
    return True


def _parts(model: object) -> Iterator[tuple[Any, int | None]]:
    """Yield the parts inside a model that hold positions, and the width of their inputs."""
    for part, width in _walk(model):
        is_known = isinstance(part, Tree | TreePredictor | KDTree | BallTree | BSpline)
        if is_known or sparse.issparse(part):
            yield part, width


def parts_of(model: object) -> Iterator[Any]:
    """Yield a model and everything that it holds, each once."""
    return (part for part, _ in _walk(model))


def _walk(model: object) -> Iterator[tuple[Any, int | None]]:
    """Yield a model and everything that it holds, and the number of features of the holder."""
    waiting: list[tuple[object, int | None]] = [(model, None)]
    seen: dict[int, object] = {}
    while waiting:
        part, width = waiting.pop()
        if id(part) in seen or isinstance(part, str | bytes | int | float | None):
            continue
        # The part is kept, as the number of a lost one may be given again.
        seen[id(part)] = part
        yield part, width
        if isinstance(part, dict):
            waiting.extend((one, width) for one in part.values())
        elif isinstance(part, list | tuple | set):
            waiting.extend((one, width) for one in part)
        elif isinstance(part, np.ndarray):
            if part.dtype == np.object_:
                waiting.extend((one, width) for one in part.ravel().tolist())
        elif hasattr(part, "__dict__") and not isinstance(part, type | ModuleType):
            width = vars(part).get("n_features_in_", vars(part).get("_n_features", width))
            waiting.extend((one, width) for one in vars(part).values())


def _is_sound(part: Any, width: int | None) -> bool:  # noqa: ANN401 - one of the types above
    if isinstance(part, Tree):
        return _is_sound_tree(part, width)
    if isinstance(part, TreePredictor):
        return _is_sound_predictor(part, width)
    if isinstance(part, KDTree | BallTree):
        return _is_sound_search_tree(part)
    if isinstance(part, BSpline):
        return _is_sound_spline(part)
    return _is_sound_sparse(part)


def _is_sound_tree(tree: Any, width: int | None) -> bool:  # noqa: ANN401
    count = tree.node_count
    left, right, feature = tree.children_left, tree.children_right, tree.feature
    if not len(left) == len(right) == len(feature) == count == len(tree.value):
        return False
    inner = left != -1
    return (
        _are_later(left, inner, count)
        and _are_later(right, inner, count)
        and _are_within(feature[inner], min(tree.n_features, width or tree.n_features))
    )


def _is_sound_predictor(tree: Any, width: int | None) -> bool:  # noqa: ANN401
    nodes = tree.nodes
    inner = nodes["is_leaf"] == 0
    categorical = inner & (nodes["is_categorical"] != 0)
    sets = min(len(tree.binned_left_cat_bitsets), len(tree.raw_left_cat_bitsets))
    limit = width if width is not None else int(nodes["feature_idx"].max(initial=0)) + 1
    return (
        len(nodes) > 0
        and _are_later(nodes["left"].astype(np.int64), inner, len(nodes))
        and _are_later(nodes["right"].astype(np.int64), inner, len(nodes))
        and _are_within(nodes["feature_idx"][inner].astype(np.int64), limit)
        and _are_within(nodes["bitset_idx"][categorical].astype(np.int64), sets)
    )


def _is_sound_search_tree(tree: Any) -> bool:  # noqa: ANN401
    data, order, nodes, bounds = map(np.asarray, tree.get_arrays())
    starts, ends = nodes["idx_start"], nodes["idx_end"]
    inner = np.flatnonzero(nodes["is_leaf"] == 0)
    return bool(
        len(order) == len(data)
        and bounds.shape[1] == len(nodes)
        and _are_within(order, len(data))
        and (starts >= 0).all()
        and (ends <= len(data)).all()
        and (starts <= ends).all()
        and (2 * inner + 2 < len(nodes)).all()
    )


def _is_sound_spline(spline: Any) -> bool:  # noqa: ANN401
    try:
        BSpline(spline.t, spline.c, spline.k)
    except (TypeError, ValueError):
        return False
    return True


def _is_sound_sparse(matrix: Any) -> bool:  # noqa: ANN401
    if not hasattr(matrix, "check_format"):
        return True
    try:
        matrix.check_format(full_check=True)
    except ValueError:
        return False
    return True


def _are_later(children: Any, inner: Any, count: int) -> bool:  # noqa: ANN401
    """Return whether the children of inner nodes come after them, so that each walk ends."""
    own = np.arange(count)[inner]
    chosen = children[inner]
    return bool((chosen > own).all() and (chosen < count).all())


def _are_within(positions: Any, count: int) -> bool:  # noqa: ANN401
    return bool(((positions >= 0) & (positions < count)).all())
