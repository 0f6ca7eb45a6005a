"""The pages in a browser: no request, no error, readable on a phone, usable with the keys."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from html import escape, unescape
from pathlib import Path
from typing import Any

import pytest

from ctcasr.compare.summary import Summary
from ctcasr.records import Record
from ctcasr.show import write_page, write_runs_page
from ctcasr.show.score_page import write_page as write_score_page

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
PHONE = 400  # pixels
SMALLEST_TEXT = 8  # pixels of height that can be read
CONTRAST = 4.5  # of text on its ground, WCAG 2 level AA

PROBE = """
const probes = [];
const luminance = colour => {
  const parts = colour.match(/[\\d.]+/g).slice(0, 3).map(part => part / 255)
    .map(part => part <= .04045 ? part / 12.92 : ((part + .055) / 1.055) ** 2.4);
  return .2126 * parts[0] + .7152 * parts[1] + .0722 * parts[2];
};
const contrast = (one, other) => {
  const [dark, bright] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (bright + .05) / (dark + .05);
};
function probe(frame) {
  const page = frame.contentDocument, view = frame.contentWindow;
  const ground = view.getComputedStyle(page.body).backgroundColor;
  const charts = [...page.querySelectorAll("figure[data-chart]")];
  const texts = [...page.querySelectorAll(".chart svg text")];
  const key = (chart, name) =>
    chart.dispatchEvent(new view.KeyboardEvent("keydown", { key: name }));
  const tips = charts.map(chart => {
    key(chart, "ArrowRight");
    const first = chart.querySelector("output").textContent;
    key(chart, "End");
    const last = chart.querySelector("output").textContent;
    const box = chart.querySelector("output").getBoundingClientRect();
    const inside = box.left >= -1 && box.right <= frame.clientWidth + 1;
    key(chart, "Escape");
    return [first, last, chart.querySelector("output").textContent, inside];
  });
  const pointed = charts.map(chart => {
    const svg = chart.querySelector("svg"), box = svg.getBoundingClientRect();
    const place = { clientX: box.left + box.width / 2, clientY: box.top + 5, pointerType: "mouse" };
    svg.dispatchEvent(new view.PointerEvent("pointermove", place));
    return chart.querySelector("output").textContent;
  });
  const details = charts.map(chart => chart.querySelector(".numbers"));
  details.forEach(one => { one.open = true; one.dispatchEvent(new view.Event("toggle")); });
  probes.push({
    width: page.documentElement.scrollWidth,
    least: Math.min(...texts.map(text => text.getBoundingClientRect().height).filter(h => h > 0)),
    contrasts: ["body", ".why", "a"].map(name => page.querySelector(name)).filter(Boolean)
      .map(one => contrast(view.getComputedStyle(one).color, ground)),
    dark: luminance(ground) < .5,
    charts: charts.length,
    focusable: charts.every(chart => chart.tabIndex === 0),
    tips, pointed,
    numbers: details.map(one => one.querySelector("pre").textContent.split("\\n").length),
    requests: view.performance.getEntriesByType("resource").map(entry => entry.name),
    errors: view.failures,
    broken: [...page.querySelectorAll("a[href^='#']")]
      .filter(link => !page.getElementById(link.hash.slice(1))).length,
  });
}
addEventListener("load", () => {
  document.querySelectorAll("iframe").forEach(probe);
  const out = document.createElement("pre");
  out.id = "probes";
  out.textContent = JSON.stringify(probes);
  document.body.append(out);
});
"""


def in_browser(folder: Path, pages: list[Path], *, dark: bool) -> list[dict[str, Any]]:
    """What the probe saw in each page, shown in frames as wide as a phone."""
    catch = "<script>window.failures = []; onerror = text => { failures.push(text) }</script>"
    frames = []
    for path in pages:
        page = escape(path.read_text(encoding="utf-8").replace("<style>", catch + "<style>", 1))
        frames.append(f'<iframe width="{PHONE}" height="900" srcdoc="{page}"></iframe>')
    harness = folder / "harness.html"
    html = f"<!doctype html><body>{''.join(frames)}<script>{PROBE}</script>"
    harness.write_text(html, encoding="utf-8")
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    command += [f"--user-data-dir={folder / 'profile'}", "--enable-logging=stderr"]
    command += [f"--blink-settings=preferredColorScheme={0 if dark else 1}"]
    command += ["--virtual-time-budget=5000", "--dump-dom", harness.as_uri()]
    outcome = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    console = [line for line in outcome.stderr.splitlines() if "CONSOLE" in line]
    assert not console, console
    (probes,) = re.findall(r'<pre id="probes">(.*?)</pre>', outcome.stdout, re.DOTALL)
    return list(json.loads(unescape(probes)))


@pytest.fixture
def pages(
    records: list[Record],
    write_run: Callable[[list[Record]], Path],
    summary: Summary,
    tmp_path: Path,
) -> list[Path]:
    """A page of each kind."""
    folder = write_run(records)
    score = write_score_page(tmp_path / "score.html", "enhanced", summary, ["a remark"], [])
    return [write_page(folder), write_runs_page(folder), score]


@pytest.mark.skipif(not BROWSER, reason="needs a headless Chromium (Debian: apt install chromium)")
@pytest.mark.parametrize("dark", [False, True])
def test_pages_work_on_a_phone(pages: list[Path], tmp_path: Path, dark: bool) -> None:
    probes = in_browser(tmp_path, pages, dark=dark)
    assert [probe["charts"] > 0 for probe in probes] == [True, True, False]
    for probe in probes:
        assert probe["requests"] == [] and probe["errors"] == [] and probe["broken"] == 0
        assert probe["width"] <= PHONE, "nothing sticks out to the side"
        assert probe["least"] >= SMALLEST_TEXT
        assert probe["dark"] == dark and min(probe["contrasts"]) >= CONTRAST
        assert probe["focusable"]
        for first, last, cleared, inside in probe["tips"]:
            assert first.startswith("step ") and last != first and inside and cleared == ""
        assert all(pointed.startswith("step ") for pointed in probe["pointed"])
        assert all(lines > 1 for lines in probe["numbers"]), "numbers to copy"
