"""The configuration of Sphinx."""

from pathlib import Path

from modstream import __version__

project = "modstream"
release = version = __version__
language = "en"
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "website.signatures",
]
exclude_patterns = ["README.md"]
suppress_warnings = ["misc.highlighting_failure"]  # a lexer that does not know all of a language
# A link to a page, a heading or a target that does not exist is a warning, and warnings are errors.
myst_heading_anchors = 4
default_role = "literal"  # docstrings have code in single backticks
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
add_module_names = False
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"
html_theme = "furo"
html_title = "modstream"
html_static_path = [str(Path(__file__).parent / "static")]
html_css_files = ["modstream.css"]
html_favicon = str(Path(__file__).parents[1] / "modstream/dashboard/web/static/icon.svg")
html_show_sourcelink = False
html_copy_source = False
html_show_copyright = False
html_use_index = False
html_domain_indices = False
html_theme_options = {"navigation_with_keys": False, "top_of_page_buttons": []}
