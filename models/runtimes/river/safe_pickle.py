"""Pickles of River models, read by an exact-name allow-list and written only if readable.

The list keeps an artifact from naming code that a model does not need. It does not limit memory
or time: an artifact from a stranger is refused by its signature
(`modstream.models.security.signing`) before it gets here. See https://docs.python.org/3/library/pickle.html#restricting-globals.
"""

import pickle
from functools import partial
from io import BytesIO

from modstream.models.errors import ForbiddenGlobal, UnreadableArtifact
from modstream.models.runtimes.library_errors import translated
from modstream.models.runtimes.river.allowed_globals_0_26 import RIVER_GLOBALS
from modstream.models.schema.artifact import MAX_ARTIFACT_BYTES, check_size

_SLOTS = (
    *("__bases__", "__name__", "__qualname__"),
    *("__code__", "__defaults__", "__kwdefaults__"),
)
"""What can be rebound on a class or function without showing in its `__dict__`."""

FORMER_MODULES = {"models.transformers": "modstream.models.transformers"}
"""Where classes of artifacts that an older modstream wrote are found today."""


def dumps_checked(model: object) -> bytes:
    """Pickle a model and prove that it can be loaded back.

    Raises:
        ForbiddenGlobal: it refers to something outside the allow-list, which is named.
        UnreadableArtifact: it cannot be pickled or loaded back for another reason.
    """
    with translated(partial(UnreadableArtifact, "river")):
        pickled = pickle.dumps(model, protocol=5)
    loads(pickled)
    return pickled


def copied(model: object) -> object:
    """Copy a model by way of a pickle that never leaves this process, so it needs no list.

    Raises:
        ArtifactTooLarge: the pickle has more than half the bytes of the largest artifact, so that
            a model that has grown since its last copy can still be published.
        UnreadableArtifact: it cannot be pickled or loaded back.
    """
    with translated(partial(UnreadableArtifact, "river")):
        pickled = pickle.dumps(model, protocol=5)
        check_size(len(pickled), MAX_ARTIFACT_BYTES // 2)
        return pickle.loads(pickled)  # noqa: S301 - written by the line above


def loads(pickled: bytes) -> object:
    """Load a pickle whose every global is on the allow-list.

    Raises:
        ForbiddenGlobal: a global is not on the list; it was neither imported nor looked up.
        UnreadableArtifact: the pickle is damaged, or it rewrites an allowed class.
    """
    unpickler = _Restricted(BytesIO(pickled), fix_imports=False)
    try:
        with translated(partial(UnreadableArtifact, "river")):
            model: object = unpickler.load()
    finally:
        rewritten = unpickler.restore()
    if rewritten:
        raise UnreadableArtifact("river", f"it rewrites {', '.join(rewritten)}")
    return model


class _Restricted(pickle.Unpickler):
    """An unpickler that hands out listed globals only and gets them back unchanged.

    Pickle's BUILD can set attributes of a class as well as of an instance, so that a model could
    change the code of every other model in the process.
    """

    def __init__(self, file: BytesIO, *, fix_imports: bool) -> None:
        super().__init__(file, fix_imports=fix_imports)
        self._lent: dict[str, tuple[object, dict[str, object]]] = {}

    def find_class(self, module_name: str, global_name: str, /) -> object:
        module_name = FORMER_MODULES.get(module_name, module_name)
        qualified = f"{module_name}:{global_name}"
        if qualified not in RIVER_GLOBALS:
            raise ForbiddenGlobal(qualified)
        found: object = super().find_class(module_name, global_name)
        self._lent.setdefault(qualified, (found, _attributes(found)))
        return found

    def restore(self) -> list[str]:
        """Undo every change to a lent global and name the globals that were changed."""
        return [name for name, (lent, before) in self._lent.items() if _reset(lent, before)]


def _attributes(target: object) -> dict[str, object]:
    """List what can be set on a class or function."""
    slots = {name: getattr(target, name) for name in _SLOTS if hasattr(target, name)}
    return slots | dict(getattr(target, "__dict__", {}))


def _reset(target: object, before: dict[str, object]) -> bool:
    """Give a class or function its attributes back; true if there was anything to undo."""
    after = _attributes(target)
    added = after.keys() - before.keys()
    changed = [name for name, value in before.items() if not _is_same(after.get(name), value)]
    for name in added:
        delattr(target, name)
    for name in changed:
        setattr(target, name, before[name])
    return bool(added or changed)


def _is_same(one: object, other: object) -> bool:
    """Compare by identity, as a value's `__eq__` may be the pickle's; but names are made anew."""
    return one is other or (type(one) is type(other) is str and one == other)
