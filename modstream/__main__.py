"""`python -m modstream`: how supervised processes are started, and how it is run without a venv."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - whoever runs this may not have installed it
    sys.exit(
        "modstream: this Python is too old: make the environment with 3.11 to 3.14 (make demo)"
    )

try:
    from modstream.cli import main
except ModuleNotFoundError as missing:
    sys.exit(
        f"modstream: the package {missing.name} is not installed in this Python:"
        " `make demo` makes a virtual environment that has it, .venv/bin/modstream runs in it"
    )

if __name__ == "__main__":
    main()
