"""The hash of labelled rows: equal rows in the same order have the same one."""

from hashlib import sha256

import numpy as np

from modstream.models.training.dataset import LabelledDataset


def hash_rows(dataset: LabelledDataset) -> str:
    """Return the SHA-256 of the features and labels of a data set, in hexadecimal digits."""
    digest = sha256()
    columns = [*dataset.batch.columns.items(), ("label", np.array(dataset.labels, dtype=object))]
    for name, column in columns:
        digest.update(f"{name}\0{len(column)}\0".encode())
        if column.dtype == object:
            digest.update("\0".join(map(repr, column.tolist())).encode())
        else:
            digest.update(np.ascontiguousarray(column).tobytes())
    return digest.hexdigest()
