"""`python -m modstream.retrain FOLDER`: the process of one training; see `training_process`."""

import sys
from pathlib import Path

from modstream.retrain.training_process import main

main(Path(sys.argv[1]))
