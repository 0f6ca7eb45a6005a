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
from public_names import name_pages
from root_files import ASSETS, PAGES, with_site_links

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"


def on_config(config: Any) -> Any:
    """Put a page for each room of the library, all benchmarks and new pages into the menu."""
    menu = {title: entries for group in config.nav for title, entries in group.items()}
    names = sorted(address for address in name_pages(ROOT) if not address.endswith("index.md"))
    menu["Reference"].append({"Public names": ["reference/index.md", *names]})
    benchmarks = sorted(f"benchmarks/{path.name}" for path in DOCS.glob("benchmarks/[a-z]*.md"))
    menu["Figures"].insert(0, {"Benchmarks": ["benchmarks/README.md", *benchmarks]})
    menu["How to"] += sorted({path.name for path in DOCS.glob("*.md")} - set(_pages(config.nav)))
    return config


def _pages(entries: Any) -> Iterator[str]:
    """All pages that a menu names."""
    if isinstance(entries, str):
        yield entries
    else:
        for entry in entries.values() if isinstance(entries, dict) else entries:
            yield from _pages(entry)


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that no file in docs/ holds."""
    made = {page: (ROOT / source).read_text(encoding="utf-8") for source, page in PAGES.items()}
    made |= flag_pages()
    made |= name_pages(ROOT)
    for address, text in made.items():
        files.append(File.generated(config, address, content=text))
    for source in ASSETS:
        content = (ROOT / source).read_bytes()
        files.append(File.generated(config, ASSETS[source], content=content))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """A page as mkdocs shall read it."""
    markdown = with_site_links(as_mkdocs_reads(markdown), page.file.src_uri)
    return with_mathematics(markdown)
