"""The HTML page: what it holds, and how it behaves in a browser."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from fakes.bench_results import failed_result, fake_result
from partseg_bench.report import write

NASTY = "\"><script>alert(1)</script><img src=x onerror=alert(2)>' &amp;"
CHROMIUM = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--enable-logging=stderr",
]  # fmt: skip


class Page(HTMLParser):
    """Elements and text of a page."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.elements if name == tag]


def a_board() -> list[dict]:
    results = [
        fake_result("alpha", 0.7, seed=0, latency_s=0.9), fake_result("alpha", 0.72, seed=1, latency_s=0.9),
        fake_result("beta", 0.5, latency_s=0.05), fake_result("gamma", 0.6, latency_s=None),
        fake_result("delta", 0.4, latency_s=0.2), failed_result("epsilon", "memory", "needed more than 4 GB"),
        fake_result("alpha", 0.8, protocol="class-agnostic-oracle"),
    ]  # fmt: skip
    for record in results[-1]["per_shape"].values():
        record["curves"] = {"miou-by-parts": [0.2, 0.5, 0.8, 0.7]}
    return results


def page_of(results: list[dict], folder: Path) -> str:
    return write(results, folder)[-1].read_text(encoding="utf-8")


def test_strangers_text_stays_text(tmp_path: Path) -> None:
    nasty = fake_result(
        NASTY, 0.5, config=NASTY, commit=NASTY, selection=NASTY, versions={NASTY: NASTY}, hardware={"cpu": NASTY},
        categories=(NASTY, NASTY * 2), published=[{"metric": NASTY, "value": 1.0, "where": NASTY, "unit": NASTY}],
        coverage={"expected": 40, "scored": 39, "missing": [NASTY]}, dataset=NASTY, protocol=NASTY, created=NASTY,
    )  # fmt: skip
    nasty["metrics"] |= {f"{name}{NASTY}": score for name, score in nasty["metrics"].items()}
    nasty["per_shape"]["test/0"]["curves"] = {NASTY: [0.1, 0.2, 0.3]}
    failed = failed_result(NASTY, NASTY, NASTY, dataset=NASTY, protocol=NASTY)
    found = Page(page_of([nasty, failed], tmp_path))
    clean = Page(page_of([fake_result("a", 0.5)], tmp_path / "clean"))
    assert len(found.all("script")) == len(clean.all("script")) == 1
    assert found.all("img") == [] and "alert(1)" in "".join(found.words)
    assert not [name for _, attrs in found.elements for name in attrs if name.startswith("on") or name == "style"]


def test_it_asks_nothing_of_a_server_and_allows_its_own_code_only(tmp_path: Path) -> None:
    source = page_of(a_board(), tmp_path)
    found = Page(source)
    links = [(tag, attrs[name]) for tag, attrs in found.elements for name in ("href", "src") if name in attrs]
    assert links and all(link.startswith(("#", "data:")) for _, link in links)
    assert "url(" not in source and "@import" not in source and "http://" not in source and "https://" not in source
    policy = next(meta["content"] for meta in found.all("meta") if "http-equiv" in meta)
    for tag in ("script", "style"):
        code = re.search(rf"<{tag}>(.*?)</{tag}>", source, re.S)[1]
        digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")
    assert len(re.search(r"<script>(.*?)</script>", source, re.S)[1]) < 4000


def test_tables_have_headings_and_anchors_that_exist(tmp_path: Path) -> None:
    found = Page(page_of(a_board(), tmp_path))
    assert all(head.get("scope") in ("col", "row") for head in found.all("th"))
    ids = [attrs["id"] for _, attrs in found.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {attrs["href"][1:] for attrs in found.all("a")} <= set(ids)
    labelled = [attrs["aria-labelledby"] for attrs in found.all("section")]
    assert labelled and set(labelled) <= set(ids)
    assert [head["aria-sort"] for head in found.all("th") if "aria-sort" in head] == ["descending"] * 2
    said = " ".join("".join(found.words).split())
    for words in ("needed more than 4 GB", "At a glance", "class-agnostic-oracle v1", "mIoU by number of parts"):
        assert words in said


def test_rows_of_a_table_have_as_many_cells_as_it_has_headings(tmp_path: Path) -> None:
    source = page_of(a_board(), tmp_path)
    for table in re.findall(r"<table.*?</table>", source, re.S):
        widths = set()
        for row in re.findall(r"<tr.*?</tr>", table, re.S):
            cells = re.findall(r"<t[hd][ >][^>]*", row)
            widths.add(sum(int((re.search(r'colspan="(\d+)"', cell) or [0, 1])[1]) for cell in cells))
        assert len(widths) == 1


@pytest.fixture(scope="module")
def chromium() -> str:
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("no program `chromium` on this machine")
    return found


def browse(chromium: str, page: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    profile = page.parent / f"profile-{page.stem}"
    command = [chromium, *CHROMIUM, f"--user-data-dir={profile}", *flags, page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_the_browser_has_nothing_to_complain_of(chromium: str, tmp_path: Path) -> None:
    page = write(a_board(), tmp_path)[-1]
    told = browse(chromium, page, "--dump-dom")
    assert told.returncode == 0 and "At a glance" in told.stdout
    assert [line for line in told.stderr.splitlines() if ":CONSOLE:" in line] == []


DRIVER = """
const seen = {};
const table = document.querySelectorAll("section.board table.sortable")[0];
const names = () => [...table.tBodies[0].rows].map((row) => row.cells[0].firstChild.textContent);
const heads = () => [...table.tHead.rows[0].cells].filter((cell) => cell.ariaSort);
const sorts = () => heads().map((cell) => cell.textContent + " " + cell.ariaSort);
const button = (name) => [...table.querySelectorAll("thead button")].find((b) => b.textContent === name);
seen.before = [names(), sorts()];
button("Latency").click();
seen.latency = [names(), sorts()];
button("Latency").click();
seen.again = [names(), sorts()];
button("Method").click();
seen.method = [names(), sorts()];
button("miou %").click();
seen.score = [names(), sorts()];
seen.failed = table.tBodies[1].rows[0].cells[0].textContent;
seen.requests = performance.getEntriesByType("resource").map((one) => one.name);
seen.focusable = button("Latency").tabIndex;
seen.wide = document.documentElement.scrollWidth <= window.innerWidth;
dispatchEvent(new Event("beforeprint"));
seen.printed = document.querySelectorAll("details:not([open])").length;
dispatchEvent(new Event("afterprint"));
seen.after = document.querySelectorAll("details:not([open])").length > 0;
document.body.textContent = "SEEN" + JSON.stringify(seen) + "SEEN";
"""


@pytest.mark.parametrize("size", ["1400,900", "500,800"])
def test_headings_sort_the_table(chromium: str, tmp_path: Path, size: str) -> None:
    source = page_of(a_board(), tmp_path)
    digest = base64.b64encode(hashlib.sha256(DRIVER.encode()).digest()).decode()
    source = source.replace("script-src ", f"script-src 'sha256-{digest}' ", 1)
    driven = tmp_path / "driven.html"
    driven.write_text(source.replace("</body>", f"<script>{DRIVER}</script></body>"), encoding="utf-8")
    told = browse(chromium, driven, "--dump-dom", f"--window-size={size}")
    seen = json.loads(told.stdout.split("SEEN")[1])
    assert seen["before"] == [["alpha", "gamma", "beta", "delta"], ["miou % descending"]]
    assert seen["latency"] == [["beta", "delta", "alpha", "gamma"], ["Latency ascending"]]  # gamma's is not known
    assert seen["again"] == [["alpha", "delta", "beta", "gamma"], ["Latency descending"]]
    assert seen["method"] == [["alpha", "beta", "delta", "gamma"], ["Method ascending"]]
    assert seen["score"] == seen["before"]
    assert seen["failed"] == "epsilon" and seen["requests"] == [] and seen["focusable"] == 0
    assert seen["wide"], "the page itself scrolls sideways"
    assert seen["printed"] == 0 and seen["after"]


def test_another_script_would_not_run(chromium: str, tmp_path: Path) -> None:
    source = page_of([fake_result("a", 0.5)], tmp_path)
    page = tmp_path / "injected.html"
    page.write_text(source.replace("</h1>", "</h1><script>document.title = 'owned'</script>"), encoding="utf-8")
    told = browse(chromium, page, "--dump-dom")
    assert "<title>Part segmentation" in told.stdout and "Content Security Policy" in told.stderr
