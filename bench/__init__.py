"""The benchmark of modstream: see `python -m bench --help`; docs/speed.md describes the method."""
