"""Prints the fields of custom resources that the published definitions of operators do not have.

Standard input has manifests as JSON; those of other kinds are ignored.
"""

import json
import sys

from cloudcoil.models.keda import v1alpha1 as keda
from cloudcoil.models.prometheus_operator import v1 as prometheus

MODELS = {
    "ScaledObject": keda.ScaledObject,
    "TriggerAuthentication": keda.TriggerAuthentication,
    "PodMonitor": prometheus.PodMonitor,
}


def lost(given, kept, path):
    """Yield the paths of fields that a model has not kept."""
    if isinstance(given, dict) and isinstance(kept, dict):
        for name, value in given.items():
            where = f"{path}.{name}"
            yield from lost(value, kept[name], where) if name in kept else [where]
    elif isinstance(given, list) and isinstance(kept, list):
        for value, other in zip(given, kept, strict=True):
            yield from lost(value, other, path)
    elif given != kept:
        yield path


def faults(manifest):
    """Yield the faults of a manifest."""
    model = MODELS.get(manifest["kind"])
    if model is None:
        return
    kept = model.model_validate(manifest).model_dump(by_alias=True, exclude_none=True)
    yield from lost(manifest, kept, manifest["kind"])


found = [fault for one in json.load(sys.stdin) for fault in faults(one)]
sys.stdout.write(json.dumps(found))
