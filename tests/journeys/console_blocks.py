"""The console blocks of a Markdown page, run as its reader would run them.

A block is fenced as ```console. Each line that begins with "$ " is a command, and a line that
begins with "> " continues it; the other lines are its output. In the output, "..." stands for any
characters, and a line "..." for any lines. A word behind `console` changes how the block is run:

    console fails        its commands must fail
    console background   its command runs until the end of the page; its output is awaited
    console eventually   its commands show the effect of an earlier one, which takes a moment: they
                         are repeated until they succeed and print what is shown
    console install      is not run: the tests run in an environment that is installed
    console not-run: WHY is not run either; `tests/docs/` checks its options
    console NAME         is run if the package of this name is installed

In pages, requests have the ids 9f3c1a52-1, 9f3c1a52-2 and so on. The first output with such an id
says which one it is, and later commands name that one.
"""

import os
import re
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from time import monotonic, sleep

BLOCK = re.compile(r"^```console ?([^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
KINDS = {"", "fails", "background", "eventually"}
EXAMPLE_ID = re.compile(r"9f3c1a52-\d+")
REAL_ID = r"[\w-]{6,}"
POLL_SECONDS = 0.1
TIMEOUT_SECONDS = 240.0


@dataclass(frozen=True)
class Command:
    """A command of a page, the output that the page shows, and the kind of its block."""

    text: str
    output: str
    kind: str


def read_commands(page):
    """Return the commands of a page that can be run here, in order."""
    return [
        command
        for kind, block in BLOCK.findall(page)
        if is_runnable(kind)
        for command in commands_of(block, kind)
    ]


def commands_of(block, kind=""):
    """Return the commands of a block."""
    found = []
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        lines = part.splitlines()
        count = 1
        while count < len(lines) and lines[count].startswith("> "):
            count += 1
        text = "\n".join([lines[0], *(line[2:] for line in lines[1:count])])
        found.append(Command(text, "\n".join(lines[count:]).strip(), kind))
    return found


def is_runnable(kind):
    """Return whether the blocks of a kind can be run here."""
    is_package = kind not in KINDS and kind.isidentifier() and kind != "install"
    return kind in KINDS or (is_package and find_spec(kind) is not None)


def as_pattern(output):
    """Return a regular expression of the output that a page shows; each id is a group of it."""
    lines = [
        r"(?:.*\n)*?" if line.strip() == "..." else f"{_line_pattern(line.rstrip())}[ \\t]*\\n"
        for line in output.splitlines()
    ]
    seen = set()

    def group(found):
        name = group_of(found[0].replace("\\", ""))
        if name in seen:
            return f"(?P={name})"
        seen.add(name)
        return f"(?P<{name}>{REAL_ID})"

    pattern = re.sub(r"9f3c1a52\\-\d+", group, "".join(lines))
    return re.compile(r"\s*" + pattern + r"\s*")


def group_of(example):
    """Return the name of the group of an example id, such as `id_1`."""
    return f"id_{example.rpartition('-')[2]}"


def _line_pattern(line):
    return r".*?".join(re.escape(part) for part in line.split("..."))


class Reader:
    """Runs the commands of a page in one folder, in a terminal of 80 columns.

    `addresses` are those that pages show, such as localhost:8080, with those of the tested system.
    Commands in the background take their programs from `background_path`, by default from `path`.
    """

    def __init__(
        self,
        folder: Path,
        path: str,
        *,
        addresses: Mapping[str, str] | None = None,
        background_path: str = "",
    ) -> None:
        self.folder = folder
        self.ids: dict[str, str] = {}
        """The real ids of requests, by the ids in the page."""
        self._addresses = addresses or {}
        self._background_path = background_path or path
        self.transcript = ""
        """All commands and their output, as a terminal shows them."""
        kept = {name: v for name, v in os.environ.items() if not name.startswith("MODSTREAM_")}
        self._environment = kept | {"PATH": path, "COLUMNS": "80", "TERM": "dumb", "NO_COLOR": "1"}
        self._running = []

    def run(self, command):
        """Run a command; raise AssertionError if it does not do what the page shows."""
        command = replace(command, text=self._with_real_names(command.text))
        if command.kind == "background":
            output = self._start(command)
        else:
            output, is_as_shown = self._run(command)
            deadline = monotonic() + TIMEOUT_SECONDS
            while command.kind == "eventually" and not is_as_shown and monotonic() < deadline:
                output, is_as_shown = self._run(command)
            assert is_as_shown, self._shown(command, output)
        self.transcript += self._shown(command, output)

    def close(self):
        """End the commands in the background, as Ctrl-C does."""
        for process in self._running:
            process.send_signal(signal.SIGINT)
            process.wait(TIMEOUT_SECONDS)

    def _run(self, command):
        """Run a command once; return its output, and whether it did what the page shows."""
        done = subprocess.run(
            ["bash", "-c", command.text],
            **self._options(stdout=subprocess.PIPE),
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        is_as_meant = (done.returncode != 0) == (command.kind == "fails")
        return done.stdout, is_as_meant and self._matches(command, done.stdout)

    def _start(self, command):
        log = self.folder / f"terminal-{len(self._running)}.log"
        with log.open("w") as stdout:
            options = self._options(stdout=stdout)
            options["env"] |= {"PATH": self._background_path}
            process = subprocess.Popen(["bash", "-c", f"exec env {command.text}"], **options)
        self._running.append(process)
        deadline = monotonic() + TIMEOUT_SECONDS
        while not self._matches(command, log.read_text()):
            assert process.poll() is None, self._shown(command, log.read_text())
            assert monotonic() < deadline, self._shown(command, log.read_text())
            sleep(POLL_SECONDS)
        return log.read_text()

    def _with_real_names(self, text):
        """Return a command with the addresses and ids of this system."""
        for shown, real in self._addresses.items():
            text = text.replace(shown, real)
        return EXAMPLE_ID.sub(lambda found: self.ids.get(found[0], found[0]), text)

    def _matches(self, command, output):
        """Return whether the output is what the page shows, which may be nothing; keep its ids."""
        if not command.output:
            return True
        found = as_pattern(command.output).fullmatch(output + "\n")
        if found is None:
            return False
        for example in EXAMPLE_ID.findall(command.output):
            self.ids.setdefault(example, found[group_of(example)])
        return True

    def _options(self, stdout):
        return {
            "cwd": self.folder,
            "env": dict(self._environment),
            "stdin": subprocess.DEVNULL,
            "stdout": stdout,
            "stderr": subprocess.STDOUT,
            "text": True,
        }

    def _shown(self, command, output):
        return f"$ {command.text}\n{output.rstrip()}\n\n"
