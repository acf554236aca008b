"""The documentation at /docs: the site that `make docs` has built, or a page that says how."""

from collections.abc import Sequence
from pathlib import Path

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from modstream.dashboard.web.pages import respond
from modstream.dashboard.web.rendering import FOLDER
from modstream.dashboard.web.views import View

SITE = FOLDER / "docs_site"
"""Where the site is built, in a checkout and in a wheel that is built from it."""
PERMANENT = 308


class SitePages(StaticFiles):
    """The files of the site; browsers ask whether a file has changed before they use their copy."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a file, or the page `index.html` of a folder."""
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response


def docs_routes(site: Path) -> Sequence[BaseRoute]:
    """Return the routes of the documentation.

    They need no key: the documentation is the same for everybody, and has no figure of a stream.

    Args:
        site: the folder of the built site, which need not exist.
    """
    if not (site / "index.html").is_file():
        return [Route("/docs", missing_site), Route("/docs/{path:path}", missing_site)]
    return [
        Route("/docs", to_first_page),
        Mount("/docs", SitePages(directory=site, html=True), name="docs"),
    ]


async def to_first_page(_: Request) -> Response:
    """Lead to the first page, whose links are relative to its folder."""
    return RedirectResponse("/docs/", PERMANENT)


async def missing_site(request: Request) -> Response:
    """Return the page that says how the documentation is built."""
    view = View("views/no_docs.html", "", "Documentation", "", {})
    return await respond(request, view, {}, status=404)
