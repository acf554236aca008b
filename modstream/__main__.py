"""`python -m modstream`: the command without its script; supervised processes start like this."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - it may run without having been installed
    sys.exit(
        "modstream: this Python is too old: create the environment with 3.11 to 3.14 (make demo)"
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
