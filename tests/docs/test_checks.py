"""What the tests of pages find: blocks without a class, wrong commands, other outputs."""

import pytest

from tests.docs.blocks import Block, fault_of, indented_blocks
from tests.docs.shell_commands import check_command, simple_commands
from tests.journeys.console_blocks import Command, Reader, as_pattern, commands_of, group_of


@pytest.mark.parametrize(
    ("language", "words", "text", "part"),
    [
        ("ini", "", "a = 1\n", "no class for ini"),
        ("yaml", "", "a: 1\n", "say `yaml values`"),
        ("", "", "modstream up\n", "no class for no language"),
        ("bash", "", "modstream up\n", "use `console`"),
        ("text", "", "modstream up\n", "it has a command"),
        ("toml", "", "a = 1\n", "toml settings"),
        ("console", "not-run:", "$ modstream up\n", "needs a reason"),
        ("console", "", "$ modstream up\n", ""),
        ("console", "not-run: needs a cluster", "$ modstream up\n", ""),
    ],
)
def test_a_block_without_a_class_is_a_fault(language, words, text, part):
    fault = fault_of(Block("docs/asking.md", 1, language, words, text))

    assert part in fault
    assert bool(fault) == bool(part)


def test_indented_code_is_found_but_not_in_lists(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("Text\n\n    modstream up\n\n- item\n\n    of the item\n")

    assert indented_blocks(page) == ["modstream up"]


@pytest.mark.parametrize(
    ("command", "part"),
    [
        ("modstream predict flights x0=1 --explian", "--explian"),
        ("modstream models publsh flights f.onnx", "there is no such command"),
        ("A=1 modstream health && make no-such-target", "no such target"),
        ("python -m bench.no_such_module | cat", "there is no module"),
        ("frobnicate now", "unknown program"),
    ],
)
def test_a_command_that_is_not_run_is_checked(command, part):
    with pytest.raises(AssertionError, match=part):
        check_command(command)


def test_a_line_of_the_shell_is_taken_apart():
    text = "A=1 modstream trace x > file.txt && cat file.txt | modstream predict -  # a comment"

    assert simple_commands(text) == [
        ["modstream", "trace", "x"],
        ["cat", "file.txt"],
        ["modstream", "predict", "-"],
    ]


def test_the_ids_of_a_page_are_those_of_its_outputs(tmp_path):
    reader = Reader(tmp_path, "/bin:/usr/bin")
    block = "$ echo id abcdef-1, again abcdef-1\nid 9f3c1a52-1, again 9f3c1a52-1\n"

    for command in [*commands_of(block), Command("echo 9f3c1a52-1", "abcdef-1", "")]:
        reader.run(command)

    assert reader.ids == {"9f3c1a52-1": "abcdef-1"}


def test_an_id_that_changes_within_an_output_is_another_output():
    pattern = as_pattern("9f3c1a52-1 and 9f3c1a52-1")

    assert pattern.fullmatch("abcdef-1 and abcdef-1\n")[group_of("9f3c1a52-1")] == "abcdef-1"
    assert pattern.fullmatch("abcdef-1 and abcdef-2\n") is None


def test_another_output_fails(tmp_path):
    reader = Reader(tmp_path, "/bin:/usr/bin")

    with pytest.raises(AssertionError, match="echo two"):
        reader.run(Command("echo two", "one", ""))
