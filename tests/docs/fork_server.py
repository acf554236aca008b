"""Runs `modstream` and `python` for the commands of pages in forks of one process.

It has imported everything, so a command starts in milliseconds instead of seconds. It is still a
program of its own, with its arguments, environment, folder and pipes: the programs in `bin/` send
those to this process.

    python -m tests.docs.fork_server FOLDER
"""

import json
import os
import socket
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from pkgutil import resolve_name

CLIENT = """\
#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    call = {{"program": {program!r}, "arguments": sys.argv[1:], "folder": os.getcwd(),
            "environment": dict(os.environ)}}
    text = json.dumps(call).encode()
    socket.send_fds(server, [len(text).to_bytes(4, "big")], [0, 1, 2])
    server.sendall(text)
    code = server.recv(1)
sys.exit(code[0] if code else 70)
"""
PRELOADED = (
    "joblib", "pandas", "sklearn.datasets", "sklearn.ensemble", "sklearn.linear_model",
    "sklearn.pipeline", "sklearn.preprocessing", "modstream.producers.client.async_client",
    "modstream.local_model",
)  # fmt: skip


def serve(folder: Path) -> None:
    """Write the programs to `folder/bin`, and answer their calls until the process is ended."""
    preload()
    address = str(folder / "forks")
    (folder / "bin").mkdir()
    for program in ("modstream", "python"):
        path = folder / "bin" / program
        text = CLIENT.format(python=sys.executable, address=address, program=program)
        path.write_text(text)
        path.chmod(0o755)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                answer(connection)
            connection.close()
            forget_ended()


def forget_ended() -> None:
    """Take the exit codes of the forks that have ended, so that the system forgets them."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def preload() -> None:
    """Import what the commands import."""
    from modstream.cli.app import COMMANDS  # noqa: PLC0415 - the settings are read in the forks
    from website.cli_page import GROUPS  # noqa: PLC0415

    for command in [
        *COMMANDS.values(),
        *(one for group in GROUPS.values() for one in group.values()),
    ]:
        resolve_name(command.target)
    for name in PRELOADED:
        resolve_name(name)


def answer(connection: socket.socket) -> None:
    """Run the call of a connection in this process, and end it with the exit code."""
    head, descriptors, _, _ = socket.recv_fds(connection, 4, 3)
    size = int.from_bytes(head, "big")
    text = b""
    while len(text) < size:
        text += connection.recv(size - len(text))
    call = json.loads(text)
    for target, descriptor in enumerate(descriptors):
        os.dup2(descriptor, target)
        os.close(descriptor)
    os.chdir(call["folder"])
    sys.modules["__main__"].__package__ = None  # it would be in the name of the program
    os.environ.clear()
    os.environ.update(call["environment"])
    code = exit_code_of(call["program"], call["arguments"])
    with suppress(OSError):
        connection.sendall(bytes([code]))
    os._exit(code)


def exit_code_of(program: str, arguments: list[str]) -> int:
    """Run a program of Python in this process, and return its exit code."""
    try:
        run_program(program, arguments)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - as Python ends with any exception
        traceback.print_exc()
        code = 1
    with suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    return code


def run_program(program: str, arguments: list[str]) -> None:
    """Run `modstream`, `python -c TEXT`, or `python FILE`."""
    if program == "modstream":
        from modstream.cli import main  # noqa: PLC0415

        sys.argv = [program, *arguments]
        main()
        return
    if arguments[0] == "-c":
        text, sys.argv, name = arguments[1], ["-c", *arguments[2:]], "<string>"
    else:
        text, sys.argv, name = Path(arguments[0]).read_text(), arguments, arguments[0]
    sys.path.insert(0, "")
    exec(compile(text, name, "exec"), {"__name__": "__main__"})  # noqa: S102


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
