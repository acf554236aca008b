"""The entry point of a package: the version is loaded with the code, before the first event.

Lambda gives more processor time to this phase, and starts containers ahead with it.
"""

from modstream.serverless.entry import handler

handler.prepare()
__all__ = ["handler"]
