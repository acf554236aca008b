"""The tests of the chart need Helm as a library, which has no release for Python 3.14."""

import sys

collect_ignore_glob = ["test_*.py"] if sys.version_info >= (3, 14) else []
