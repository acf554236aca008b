"""The documentation as static HTML, built offline from `docs/`, the README and the code.

`python -m website` writes it to the folder that the dashboard serves at /docs; see
`website/navigation.py` for its structure.
"""
