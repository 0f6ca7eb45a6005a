"""Files at the root of the checkout as pages of the site, and links that find them there."""

from __future__ import annotations

import posixpath
import re

# File at the root -> page of the site.
PAGES = {
    "README.md": "index.md",
    "ARCHITECTURE.md": "architecture.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
}
ASSETS = {"LICENSE": "LICENSE.txt", "CITATION.cff": "CITATION.cff"}

_LINK = re.compile(r"(\]\(|src=\"|href=\")([^)#\":]+)(?=[)#\"])")


def with_site_links(markdown: str, address: str) -> str:
    """A page of the site whose links to files of the checkout lead to their places on the site.

    Example:
        >>> with_site_links("[a](docs/cli.md#exit)", "index.md")
        '[a](cli.md#exit)'
        >>> with_site_links("[b](../../LICENSE)", "benchmarks/grid.md")
        '[b](../LICENSE.txt)'
    """
    places = {page: source for source, page in PAGES.items()}
    source = places.get(address, posixpath.join("docs", address))

    def moved(match: re.Match[str]) -> str:
        file = posixpath.normpath(posixpath.join(posixpath.dirname(source), match[2]))
        target = _on_site(file)
        return match[1] + posixpath.relpath(target, posixpath.dirname(address) or ".")

    return _LINK.sub(moved, markdown)


def _on_site(file: str) -> str:
    """Where a file of the checkout lies on the site."""
    if file in PAGES:
        return PAGES[file]
    if file in ASSETS:
        return ASSETS[file]
    return file.removeprefix("docs/")
