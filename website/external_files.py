"""Scripts and styles of the built pages as files, as the dashboard's policy permits no others."""

import re
from functools import partial
from hashlib import sha256
from os.path import relpath
from pathlib import Path

STYLESHEET = "_static/modstream.css"
"""The stylesheet that every page loads; it gets the rules of the attributes `style`."""
FOLDER = "_static/inline"
ELEMENT = re.compile(r"<(script|style)>(.*?)</\1>", re.DOTALL)
ATTRIBUTE = re.compile(r' style="([^"]*)"')
TAGS = {
    "script": '<script src="{address}"></script>',
    "style": '<link rel="stylesheet" href="{address}">',
}
SUFFIXES = {"script": "js", "style": "css"}


def move_out_inline(site: Path) -> None:
    """Write what stands inline in the pages of a site to files, and let the pages load these."""
    (site / FOLDER).mkdir(parents=True, exist_ok=True)
    rules: dict[str, str] = {}
    for page in site.rglob("*.html"):
        text = page.read_text("utf-8")
        rules |= {name_of(style): style for style in ATTRIBUTE.findall(text)}
        text = ATTRIBUTE.sub(lambda found: f' data-style="{name_of(found[1])}"', text)
        page.write_text(ELEMENT.sub(partial(_moved, site, page), text), "utf-8")
    with (site / STYLESHEET).open("a", encoding="utf-8") as sheet:
        sheet.writelines(f'[data-style="{name}"] {{ {rules[name]} }}\n' for name in sorted(rules))


def name_of(text: str) -> str:
    """Return a name for a text, the same for the same text."""
    return sha256(text.encode()).hexdigest()[:12]


def _moved(site: Path, page: Path, found: re.Match[str]) -> str:
    kind, text = found.groups()
    target = site / FOLDER / f"{name_of(text)}.{SUFFIXES[kind]}"
    target.write_text(text.strip() + "\n", "utf-8")
    return TAGS[kind].format(address=Path(relpath(target, page.parent)).as_posix())
