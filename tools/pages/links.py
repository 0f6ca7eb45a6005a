"""Dead links of the built site: python tools/pages/links.py site

Every address inside the site is followed, with its anchor, pictures and scripts too. Addresses
elsewhere are counted by host; nothing is asked of a network.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# Material's page of what was not found names addresses from the root of a server.
LEFT_OUT = ("404.html",)
LOADING = ("stylesheet", "preload", "preconnect", "icon")


class Page(HTMLParser):
    """The addresses that a page names or loads, and the places in it that others may name."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.anchors = {""}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of an element."""
        values = {name: value for name, value in attrs if value}
        self.anchors.update(values[name] for name in ("id", "name") if name in values)
        addresses = [values[name] for name in ("href", "src") if name in values]
        self.links += addresses
        if "src" in values or values.get("rel") in LOADING:
            self.loads += addresses


def wrong_links(site: Path) -> Iterator[str]:
    """A line for each address that leads nowhere, or is loaded from elsewhere."""
    pages = {path: Page(path) for path in sorted(site.resolve().rglob("*.html"))}
    for path, page in pages.items():
        if path.name in LEFT_OUT:
            continue
        name = path.relative_to(site.resolve())
        for link in page.links:
            fault = _fault(path, link, pages)
            if fault:
                yield f"{name}: {link}: {fault}"
        for address in page.loads:
            if urlsplit(address).netloc:
                yield f"{name}: {address}: loaded from elsewhere"


def _fault(path: Path, link: str, pages: dict[Path, Page]) -> str:
    """What is wrong with an address inside the site; nothing for those elsewhere."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return ""
    target = path
    if parts.path:
        target = (path.parent / unquote(parts.path)).resolve()
    if target.is_dir():
        target /= "index.html"
    if not target.is_file():
        return "no such file"
    if target in pages and unquote(parts.fragment) not in pages[target].anchors:
        return "no such place in the page"
    return ""


def hosts_elsewhere(site: Path) -> Counter[str]:
    """How often other hosts are named."""
    hosts: Counter[str] = Counter()
    for path in site.rglob("*.html"):
        hosts.update(urlsplit(link).netloc for link in Page(path).links)
    del hosts[""]
    return hosts


def main() -> int:
    """1 where a link is dead, or something is loaded from elsewhere."""
    site = Path(sys.argv[1])
    wrong = list(wrong_links(site))
    print("\n".join(wrong) if wrong else "no dead link, nothing loaded from elsewhere")
    for host, count in hosts_elsewhere(site).most_common():
        print(f"{count:5}  {host} (not asked)")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
