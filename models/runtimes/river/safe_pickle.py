"""Pickles of River models, loaded with an allow-list of globals and written only if loadable.

The allow-list keeps an artifact from calling code that a model does not need. It does not limit
memory or time; artifacts of unknown origin are rejected earlier, by their signature
(`modstream.models.security.signing`).
See https://docs.python.org/3/library/pickle.html#restricting-globals.
"""

import copyreg
import pickle
from functools import partial
from io import BytesIO

from modstream.models.errors import ForbiddenGlobal, UnreadableArtifact
from modstream.models.runtimes.library_errors import translate_library_errors
from modstream.models.runtimes.river.allowed_globals_0_26 import RIVER_GLOBALS
from modstream.models.runtimes.river.pickle_values import REDUCERS
from modstream.models.schema.artifact import MAX_ARTIFACT_BYTES, check_artifact_size

_REBINDABLE_ATTRIBUTES = (
    *("__bases__", "__name__", "__qualname__"),
    *("__code__", "__defaults__", "__kwdefaults__"),
)
"""Attributes of classes and functions that can be rebound but are not in their `__dict__`."""

FORMER_MODULES = {"models.transformers": "modstream.models.transformers"}
"""Module names in artifacts written by older versions of modstream, and their current names."""


def dumps_checked(model: object) -> bytes:
    """Pickle a model and check that it can be loaded back.

    Raises:
        ForbiddenGlobal: it refers to an object outside the allow-list; the error names it.
        UnreadableArtifact: it cannot be pickled or loaded back for another reason.
    """
    file = BytesIO()
    pickler = pickle.Pickler(file, protocol=5)
    pickler.dispatch_table = REDUCERS
    with translate_library_errors(partial(UnreadableArtifact, "river")):
        pickler.dump(model)
    pickled = file.getvalue()
    loads(pickled)
    return pickled


def clone(model: object) -> object:
    """Copy a model through a pickle; the pickle stays in this process and needs no allow-list.

    Raises:
        ArtifactTooLarge: the pickle is larger than half the largest artifact. The other half is
            reserved for growth, so that a model can still be published after it has learned more.
        UnreadableArtifact: it cannot be pickled or loaded back.
    """
    with translate_library_errors(partial(UnreadableArtifact, "river")):
        pickled = pickle.dumps(model, protocol=5)
        check_artifact_size(len(pickled), MAX_ARTIFACT_BYTES // 2)
        return pickle.loads(pickled)  # noqa: S301 - written by the line above


def loads(pickled: bytes) -> object:
    """Load a pickle that refers only to globals on the allow-list.

    Raises:
        ForbiddenGlobal: a global is not on the list; it is neither imported nor looked up.
        UnreadableArtifact: the pickle is damaged, or it modifies a class or function.
    """
    unpickler = _RestrictedUnpickler(BytesIO(pickled), fix_imports=False)
    try:
        with translate_library_errors(partial(UnreadableArtifact, "river")):
            model: object = unpickler.load()
    finally:
        modified = unpickler.restore_globals()
    if modified:
        raise UnreadableArtifact("river", f"it modifies {', '.join(modified)}")
    return model


class _RestrictedUnpickler(pickle.Unpickler):
    """An unpickler that resolves only globals on the allow-list and undoes changes to them.

    Pickle's BUILD opcode can set attributes of a class as well as of an instance. Without the undo,
    an artifact could change the code of every other model in the process.
    """

    def __init__(self, file: BytesIO, *, fix_imports: bool) -> None:
        super().__init__(file, fix_imports=fix_imports)
        self._issued: dict[str, tuple[object, dict[str, object]]] = {}

    def find_class(self, module_name: str, global_name: str, /) -> object:
        """Return a global on the allow-list; raise `ForbiddenGlobal` for any other."""
        module_name = FORMER_MODULES.get(module_name, module_name)
        qualified = f"{module_name}:{global_name}"
        if qualified not in RIVER_GLOBALS:
            raise ForbiddenGlobal(qualified)
        target: object = super().find_class(module_name, global_name)
        if isinstance(target, type):
            # Pickling an object for the first time adds this attribute to its class. Another thread
            # may do so while this one compares the class with what it was.
            copyreg._slotnames(target)  # type: ignore[attr-defined]  # noqa: SLF001
        self._issued.setdefault(qualified, (target, _attributes(target)))
        return target

    def restore_globals(self) -> list[str]:
        """Undo all changes to resolved globals; return the names of those that were changed."""
        return [name for name, (target, before) in self._issued.items() if _restore(target, before)]


def _attributes(target: object) -> dict[str, object]:
    """Return the attributes of a class or function that can be set."""
    slots = {
        name: getattr(target, name) for name in _REBINDABLE_ATTRIBUTES if hasattr(target, name)
    }
    return slots | dict(getattr(target, "__dict__", {}))


def _restore(target: object, before: dict[str, object]) -> bool:
    """Reset the attributes of a class or function; return whether any had changed."""
    after = _attributes(target)
    added = after.keys() - before.keys()
    changed = [name for name, value in before.items() if not _is_same(after.get(name), value)]
    for name in added:
        delattr(target, name)
    for name in changed:
        setattr(target, name, before[name])
    return bool(added or changed)


def _is_same(one: object, other: object) -> bool:
    """Compare by identity, as `__eq__` may come from the pickle; strings such as names by value."""
    return one is other or (type(one) is type(other) is str and one == other)
