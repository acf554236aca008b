"""Checks the commands of a page without running them: programs, options and files exist."""

import re
import shlex
from importlib.util import find_spec
from itertools import takewhile

from modstream.cli.app import COMMANDS
from modstream.cli.lazy import load_command
from tests.docs.blocks import ROOT
from website.cli_page import GROUPS

ASSIGNMENT = re.compile(r"[A-Z_]+=")
SEPARATORS = {"&&", "|", ";", "&"}
FOREIGN = {
    "export",
    "curl",
    "pip",
    "docker",
    "helm",
    "model_signing",
    "openssl",
    "kubectl",
    "aws",
    "cat",
    "prometheus",
    "npm",
    "npx",
    "node",
    "java",
    "go",
}
"""Programs of others, of which nothing is checked, and commands of the shell."""


def check_command(text):
    """Check one command of a page; raise AssertionError with what is wrong with it."""
    for words in simple_commands(text):
        check_simple(words)


def simple_commands(text):
    """Return the words of each command in a line of the shell, without redirections."""
    lexer = shlex.shlex(text.replace("\\\n", " "), posix=True, punctuation_chars="|&;")
    lexer.whitespace_split = True
    lexer.commenters = "#"
    found = [[]]
    for word in lexer:
        if word in SEPARATORS:
            found.append([])
        elif found[-1] or not ASSIGNMENT.match(word):
            found[-1].append(word)
    return [list(takewhile(is_argument, words)) for words in found if words]


def is_argument(word):
    """Whether a word is not the redirection that ends a command."""
    return not re.match(r"\d?>", word)


def check_simple(words):
    """Check a command without pipes and lists."""
    program, *arguments = words
    name = program.rpartition("/")[2]
    if name == "modstream":
        check_modstream(arguments)
    elif name == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert arguments[0] in targets, f"make {arguments[0]}: the Makefile has no such target"
    elif name == "python" and arguments[0] == "-m":
        assert find_spec(arguments[1]), f"there is no module {arguments[1]}"
    elif name == "python" and arguments[0].endswith(".py"):
        is_there = (ROOT / arguments[0]).exists()
        assert is_there or arguments[0].count("/") == 0, f"there is no {arguments[0]}"
    else:
        assert name in FOREIGN | {"python", "."}, f"{name} is an unknown program"


def check_modstream(arguments):
    """Check that a command exists, and takes these arguments."""
    path = arguments[:1]
    if path[0] in GROUPS:
        path, command = arguments[:2], GROUPS[arguments[0]].get(arguments[1])
    else:
        command = COMMANDS.get(path[0])
    shown = " ".join(["modstream", *arguments])
    assert command is not None, f"{shown}: there is no such command"
    loaded = load_command(path[-1], command)
    try:
        loaded.make_context(" ".join(path), arguments[len(path) :])
    except Exception as error:
        if "does not exist" in str(error):  # a file of the reader
            return
        raise AssertionError(f"{shown}: {error}") from error
