"""skrub's TableReport of a data set. skrub, an extra, is loaded when it is needed."""

from pathlib import Path
from warnings import catch_warnings, simplefilter

import numpy as np

from modstream.datasets.dataset import DataSet
from modstream.datasets.parquet import load_library, table_to_frame

ROWS = 50_000
"""Number of rows that are reported; of more, every k-th."""


def write_skrub_report(dataset: DataSet, path: Path) -> None:
    """Write the report of a sample of the rows to an HTML file.

    Raises:
        CatalogueUnusable: a file of the data set cannot be read.
        DataLibraryMissing: skrub is not installed.
    """
    skrub = load_library("skrub")
    step = max(1, dataset.rows // ROWS)
    frame = table_to_frame(dataset.read_table().take(np.arange(0, dataset.rows, step)))
    with catch_warnings():
        simplefilter("ignore")
        skrub.TableReport(frame, title=str(dataset), verbose=0).write_html(path)
