"""What is done with built pages, and the pages that are generated from schemas."""

from modstream.broker.wire.json_schemas import CONTRACTS
from modstream.producers.gateway.http.openapi import paths
from website.accessibility import complete_attributes
from website.external_files import move_out_inline
from website.http_page import http_page
from website.json_schema import fields_table
from website.licences import FOLDER, SOURCES, copy_licences
from website.schemas_page import schemas_page
from website.sources import OUTSIDE, rewrite

PAGE = """\
<head><style>
p { color: red }
</style></head>
<body><script>document.title = 1;</script><p style="opacity: 50%">text</p><pre>code</pre></body>
"""


def test_inline_scripts_and_styles_become_files(tmp_path):
    (tmp_path / "_static").mkdir()
    (tmp_path / "_static" / "modstream.css").write_text("")
    (tmp_path / "adr").mkdir()
    for page in (tmp_path / "index.html", tmp_path / "adr" / "one.html"):
        page.write_text(PAGE)

    move_out_inline(tmp_path)

    first, second = (tmp_path / "index.html").read_text(), (tmp_path / "adr/one.html").read_text()
    assert "document.title" not in first + second
    assert "color: red" not in first + second
    assert ' style="' not in first + second
    assert 'src="_static/inline/' in first
    assert 'src="../_static/inline/' in second
    written = {path.suffix: path.read_text() for path in (tmp_path / "_static/inline").iterdir()}
    assert written == {".js": "document.title = 1;\n", ".css": "p { color: red }\n"}
    assert "opacity: 50%" in (tmp_path / "_static" / "modstream.css").read_text()


def test_the_licences_of_others_are_in_the_site(tmp_path):
    copy_licences(tmp_path)

    written = [path.name for path in (tmp_path / FOLDER).iterdir()]
    for name in SOURCES:
        assert [one for one in written if one.startswith(f"{name}-LICENSE")], written


def test_code_that_scrolls_can_have_the_focus(tmp_path):
    (tmp_path / "index.html").write_text(PAGE)

    complete_attributes(tmp_path)

    assert '<pre tabindex="0">code</pre>' in (tmp_path / "index.html").read_text()


def test_every_path_and_every_message_has_a_section():
    http, schemas = http_page(), schemas_page()

    for path, methods in paths().items():
        for method in methods:
            assert f"\n## {method.upper()} {path}\n" in http
    for name in CONTRACTS:
        assert f"\n## {name}\n" in schemas


def test_a_table_of_fields_says_which_are_needed():
    schema = {
        "properties": {"id": {"type": "string"}, "row": {"anyOf": [{"type": "integer"}]}},
        "required": ["id"],
    }

    assert fields_table(schema).splitlines()[2:] == [
        "| `id` | string | yes |",
        "| `row` | integer |  |",
    ]


def test_links_out_of_the_pages_lead_to_pages_of_the_site():
    text = (
        "[a](../schemas/request.json) [b](../examples/node/ask_and_label.js)"
        " [c](../README.md#on-your-own-servers) [d](../schemas/asyncapi.json) [e](asking.md)"
    )

    assert rewrite(text, OUTSIDE) == (
        "[a](#schema-request) [b](#example-node-ask-and-label-js)"
        " [c](use.md#on-your-own-servers) [d](/schemas/asyncapi.json) [e](asking.md)"
    )
