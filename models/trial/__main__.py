"""`python -P -m modstream.models.trial FD RUNTIME`: a trial process, on an inherited socket."""

import socket
import sys

from modstream.models.trial.server import serve

if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as control:
        serve(control, sys.argv[2])
