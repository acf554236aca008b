"""The roof of modstream: settings, wiring and the servers that a run stands on.

The roof imports every other room; no other room imports the roof.
"""

__version__ = "0.1.0"
