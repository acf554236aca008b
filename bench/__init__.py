"""The benchmark of modstream: `python -m bench --help`, method in docs/speed.md."""
