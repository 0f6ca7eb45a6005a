"""What mkdocs asks when it builds the site (mkdocs.yml): pages made anew, mathematics, links."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[2]))

from flags import flag_pages
from github import as_mkdocs_reads
from mathematics import with_mathematics
from public_names import name_menu, name_pages
from root_files import ASSETS, PAGES, with_site_links

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"


def on_config(config: Any) -> Any:
    """Put a page for each room of the library, all benchmarks and new pages into the menu."""
    menu: dict[str, list[Any]] = {}
    for group in config.nav:
        menu.update(group)
    menu["Reference"].append({"Public names": name_menu(ROOT)})
    menu["Figures"].insert(0, {"Benchmarks": _benchmark_addresses()})
    named = set(_pages(config.nav))
    for path in sorted(DOCS.glob("*.md")):
        if path.name not in named:
            menu["How to"].append(path.name)
    return config


def _benchmark_addresses() -> list[str]:
    """What benchmarks are there, then each of them."""
    addresses = ["benchmarks/README.md"]
    for path in sorted(DOCS.glob("benchmarks/[a-z]*.md")):
        addresses.append(f"benchmarks/{path.name}")
    return addresses


def _pages(entries: Any) -> Iterator[str]:
    """All pages that a menu names."""
    if isinstance(entries, str):
        yield entries
        return
    if isinstance(entries, dict):
        entries = entries.values()
    for entry in entries:
        yield from _pages(entry)


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that no file in docs/ holds."""
    made: dict[str, str | bytes] = {}
    for source, address in PAGES.items():
        made[address] = (ROOT / source).read_text(encoding="utf-8")
    for source, address in ASSETS.items():
        made[address] = (ROOT / source).read_bytes()
    made |= flag_pages()
    made |= name_pages(ROOT)
    for address, content in made.items():
        files.append(File.generated(config, address, content=content))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """A page as mkdocs shall read it."""
    markdown = with_site_links(as_mkdocs_reads(markdown), page.file.src_uri)
    return with_mathematics(markdown)
