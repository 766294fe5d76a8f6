"""Test that the site can be read offline and that its downloads work."""

import contextlib
import re
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlparse

import nbformat
import pages
import pytest
from chromium import page_of
from exercises import exercises_of
from glossary import Entry, link_terms, read_glossary
from playwright.sync_api import TimeoutError
from run import execute
from sessions import NOTEBOOKS, Problem, all_pairs, kind_of, read_ipynb
from slides import FORMULA, SESSIONS, SMALL

from tests.test_static_decks import squashed, undescribed, violations

# Ignore warnings about future changes in Sphinx, which affect only other
# packages.
pytestmark = pytest.mark.filterwarnings("ignore:'myst_parser")
LARGEST = 3_000_000  # maximum bytes of a page and all its files
PHONE = {"width": 360, "height": 740}
ADDRESS = "https://github.com/owner/name"
HOSTS = re.compile(r"colab\.|kaggle\.com/kernels|mybinder|codespaces|/edit/")
MATHS = "span.math, div.math"
# This script collects facts about a page at the width of a phone.
FACTS = """() => {
  const root = document.documentElement;
  const facts = { small: [], wide: [] };
  facts.links = [...document.querySelectorAll("[href], [src]")]
    .map((it) => it.href || it.src).filter((it) => typeof it === "string");
  facts.ids = [...document.querySelectorAll("[id]")].map((it) => it.id);
  facts.title = document.title;
  facts.around = [".prev-page", ".next-page", ".toc-tree li"]
    .map((it) => document.querySelectorAll(it).length);
  facts.text = document.querySelector("article").textContent;
  facts.folded = [document.querySelectorAll("details").length,
    document.querySelectorAll("details[open]").length];
  const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const prose = [];
  for (let it = words.nextNode(); it; it = words.nextNode()) {
    const parent = it.parentElement;
    if (!it.data.trim() || parent.closest("script, style, noscript, svg")) continue;
    const code = parent.closest("pre, code");
    if (!code && parent.closest("article")) prose.push(it.data);
    if (!parent.checkVisibility() || parent.closest(".MathJax_SVG, sub, sup")) continue;
    const size = parseFloat(getComputedStyle(parent).fontSize);
    if (size < (code ? 14 : 16)) facts.small.push(`${size} px: ${it.data.trim()}`);
  }
  facts.prose = prose.join(" ");
  // Wide elements may scroll inside their own box, so the box must fit.
  const scrolls = "pre, .table-wrapper, .cell_output > *, div.math";
  facts.wide = [...document.querySelectorAll("body, article *")]
    .filter((it) => !it.parentElement.closest(`${scrolls}, .MathJax_SVG`))
    .filter((it) => it.checkVisibility() && (it === document.body
      ? root.scrollWidth > root.clientWidth
      : it.getBoundingClientRect().right > root.clientWidth + 1))
    .map((it) => it.outerHTML.slice(0, 200)).slice(0, 3);
  return facts;
}"""

# In highlighted code, this script keeps one element of each colour. Most
# elements of a page are words in code, and axe-core would spend most of its
# time on them.
THIN = """() => {
  const seen = new Set();
  for (const it of document.querySelectorAll("pre span")) {
    const kind = it.className + !!it.closest(".cell_output");
    if (seen.has(kind)) it.replaceWith(...it.childNodes);
    seen.add(kind);
  }
}"""
# Search words, each with a page that the search must find.
WORDS = {
    "gradient descent": "01_models_and_gradients",
    "backpropagation": "02_neural_nets",
    "convolution": "03_architectures",
    "RoPE": "04_basic_gpt",
    "quantization": "05_llm_ecosystem",
    "LoRA": "06_shaping_llms",
    "intercept": "solutions/02_neural_nets",
    "perplexity": "glossary",
    "Vaswani": "references",
    "hostile": "proven",
}


@dataclass
class Seen:
    """The findings for one page, on desktop screens and on a phone.

    On desktop screens, the page is checked in light mode and in dark mode.
    """

    path: Path
    # Addresses outside this machine that the page requested.
    outside: list = field(default_factory=list)
    shut_out: list = field(default_factory=list)  # what axe-core found
    undescribed: list = field(default_factory=list)
    maths: int = 0  # formulas that were rendered
    unset: list = field(default_factory=list)  # formulas left unrendered
    bytes: int = 0
    facts: dict = field(default_factory=dict)


def file_of(address):
    """Return the path of a file:// address, or "" for any other address."""
    return (
        Path(unquote(urlparse(address).path))
        if address.startswith("file:")
        else ""
    )


def look(browser, *paths):
    """Open pages of the site as files; yield the findings for each page."""
    page, outside = page_of(browser)
    asked = []
    page.on("request", lambda it: asked.append(file_of(it.url)))
    for path in paths:
        asked.clear()
        outside.clear()
        page.set_viewport_size(SMALL)
        page.emulate_media(color_scheme="light")
        page.goto(path.as_uri())
        page.wait_for_function(
            f"""() => !document.querySelector("{MATHS}")
                || window.MathJax?.Hub?.queue?.pending === 0
                   && document.querySelector(".MathJax_SVG")"""
        )
        seen = Seen(path)
        page.evaluate(THIN)
        seen.shut_out = violations(page)
        page.emulate_media(color_scheme="dark")
        seen.shut_out += violations(page, ["color-contrast"])
        seen.undescribed = undescribed(page)
        page.set_viewport_size(PHONE)
        seen.facts = page.evaluate(FACTS)
        seen.maths = page.locator(MATHS).count()
        seen.unset = page.evaluate(
            f"""[...document.querySelectorAll("{MATHS}")]
                .filter((it) => !it.querySelector(".MathJax_SVG")
                                || it.querySelector("[data-mathml*='<merror']"))
                .map((it) => it.textContent)"""
        ) + FORMULA.findall(seen.facts["prose"])
        files = {it for it in asked if it}
        seen.bytes = sum(it.stat().st_size for it in files if it.is_file())
        seen.outside = list(outside)
        yield seen
    page.context.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Build the site as `make site` does for a series without an address.

    Only Session 1 has a deck.
    """
    folder = tmp_path_factory.mktemp("build")
    for end in (".html", ".pdf", "_notes.pdf"):
        (folder / f"{SESSIONS[0].name}{end}").touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pages, "BUILD", folder)
        patch.setattr(pages, "SITE", folder / "site")
        patch.setattr(pages, "published", lambda _: {})
        pages.tool([])
    return folder / "site"


@pytest.fixture(scope="module")
def seen(site, browser):
    """Visit all pages, and return a dict from their paths to the findings."""
    paths = sorted(site.rglob("*.html"))
    paths = [it for it in paths if "decks" not in it.parts]
    return {str(it.path.relative_to(site)): it for it in look(browser, *paths)}


def found(seen, name):
    """Return all findings of one kind, each with the name of its page."""
    return "\n".join(
        f"{page}: {it}"
        for page, was in seen.items()
        for it in getattr(was, name)
    )


def test_every_session_and_its_solutions_are_pages_with_their_own_titles(seen):
    for pair in all_pairs():
        assert f"{pair.relative_to(NOTEBOOKS)}.html" in seen
    more = "index glossary references proven teachers changes 404 search data/README"
    for name in more.split():
        assert f"{name}.html" in seen
    titles = [it.facts["title"] for it in seen.values()]
    assert len(set(titles)) == len(titles), titles
    assert all("Intuitive AI" in it for it in titles)


def test_no_page_asks_the_network(seen):
    assert not found(seen, "outside"), (
        "A page tried to load something from the network."
    )


def broken(seen):
    """Return a list of the broken links within the site."""
    ids = {str(it.path): it.facts["ids"] for it in seen.values()}
    nowhere = []
    for page, was in seen.items():
        for link in was.facts["links"]:
            address, anchor = urldefrag(link)
            if not (path := file_of(address)):
                continue
            there = not anchor or unquote(anchor) in ids.get(str(path), [])
            if not (path.is_file() and there):
                nowhere.append(f"{page}: {link}")
    return nowhere


def test_no_link_or_anchor_within_the_site_is_broken(seen):
    assert not broken(seen), "These links lead nowhere:\n" + "\n".join(
        broken(seen)
    )


def test_every_picture_is_described(seen):
    assert not found(seen, "undescribed")


def test_no_page_shuts_anybody_out_in_light_or_dark(seen):
    assert not found(seen, "shut_out"), found(seen, "shut_out")


def test_every_formula_is_set(seen):
    assert not found(seen, "unset"), found(seen, "unset")
    for pair in SESSIONS:
        prose = "\n".join(
            it.source
            for it in read_ipynb(pair).cells
            if it.cell_type == "markdown" and kind_of(it) != "notes"
        )
        prose = re.sub(r"```.*?```|`[^`\n]+`", "", prose, flags=re.S)
        written = len(FORMULA.findall(prose))
        assert seen[f"{pair.name}.html"].maths == written, pair


def test_a_page_shows_all_cells_in_order_but_those_for_other_places(seen):
    for pair in all_pairs():
        page = seen[f"{pair.relative_to(NOTEBOOKS)}.html"]
        shown, place = squashed(page.facts["text"]), 0
        code, hidden = "", []
        for cell in read_ipynb(pair).cells:
            said = squashed(cell.source)
            if kind_of(cell) == "notes" or "fetch" in cell.metadata.get(
                "tags", []
            ):
                assert said[:60] not in shown, cell.source
            elif pages.PLUMBING.fullmatch(cell.source):
                hidden.append(said)
            elif cell.cell_type == "code":
                assert said in shown[place:], cell.source
                place = shown.index(said, place)
                code += said
        assert all(shown.count(it) == code.count(it) for it in hidden), pair


def test_each_exercise_leads_to_its_solution(seen):
    for number, pair in enumerate(SESSIONS, 1):
        links = {
            Path(it).name for it in seen[f"{pair.name}.html"].facts["links"]
        }
        solutions = seen[f"solutions/{pair.name}.html"].facts["text"]
        for exercise in exercises_of(read_ipynb(pair)):
            assert f"{pair.name}.html#solution-{number}-{exercise}" in links
            # The task and the check's output are shown without their code.
            assert solutions.count(f"Exercise {exercise}: ") >= 2


def test_answers_stay_folded(seen):
    for pair in SESSIONS:
        written = sum(
            len(re.findall("<details>", it.source))
            for it in read_ipynb(pair).cells
            if it.cell_type == "markdown"
        )
        folded = seen[f"{pair.name}.html"].facts["folded"]
        assert folded == [written, 0], f"{pair}: [all, open]"


def test_a_phone_shows_every_page_without_scrolling_sideways(seen):
    for name in ("wide", "small"):
        wrong = [
            f"{page}: {it}"
            for page, was in seen.items()
            for it in was.facts[name]
        ]
        assert not wrong, f"These elements are too {name}:\n" + "\n".join(
            wrong
        )


def test_every_page_is_light(seen):
    heavy = {page: it.bytes for page, it in seen.items() if it.bytes > LARGEST}
    assert not heavy


def test_every_page_leads_to_the_previous_and_the_next_and_lists_its_parts(
    seen,
):
    ends = []  # the pages without a next page
    for name, was in seen.items():
        if name in ("index.html", "404.html", "search.html"):
            continue
        before, after, parts = was.facts["around"]
        assert before, name
        ends += [] if after else [name]
        if name.removeprefix("solutions/")[:2].isdigit():
            assert parts > 4, name
    assert len(ends) == 1, ends


def test_the_start_page_fits_on_one_screen(site, browser, seen):
    page, _ = page_of(browser, viewport=SMALL)
    page.goto((site / "index.html").as_uri())
    cards = page.locator(".card").all()
    assert len(cards) == len(SESSIONS)
    for card, pair in zip(cards, SESSIONS, strict=True):
        assert card.locator(f"a[href='{pair.name}.html']").count()
        assert re.search(
            r"\d+ minutes to read.*You (need|should)", card.inner_text(), re.S
        )
    end = max(
        it.bounding_box()["y"] + it.bounding_box()["height"] for it in cards
    )
    assert end <= SMALL["height"], (
        "The last card extends below the edge of the screen."
    )
    assert page.locator(".hero img").bounding_box()["width"] > 300
    page.context.close()


def test_the_search_finds_given_words(site, browser):
    page, outside = page_of(browser)
    missed = []
    for word, name in WORDS.items():
        page.goto(f"{(site / 'search.html').as_uri()}?q={word}")
        link = page.locator(f"#search-results a[href*='{name}.html']")
        try:
            link.first.wait_for(timeout=5000)
        except TimeoutError:
            missed.append(f"{word}, on {name}")
    assert not missed, "The search does not find these words: " + "; ".join(
        missed
    )
    assert not outside
    page.context.close()


def test_a_search_for_a_term_leads_to_its_meaning(site, browser):
    page, _ = page_of(browser)
    page.goto(f"{(site / 'search.html').as_uri()}?q=RoPE")
    first = page.locator("#search-results a").first
    first.wait_for(timeout=5000)
    assert first.inner_text() == "RoPE"
    assert first.get_attribute("href") == "glossary.html#term-RoPE"
    page.context.close()


def test_a_search_in_a_published_site_shows_excerpts(site, browser):
    page, _ = page_of(browser)

    def serve(route):
        path = urlparse(route.request.url).path
        route.fulfill(path=site / path.removeprefix("/name/"))

    page.route("https://owner.github.io/**", serve)
    page.goto("https://owner.github.io/name/search.html?q=LoRA")
    href = "a[href='06_shaping_llms.html']"
    hit = page.locator(f"#search-results li:has({href})")
    excerpt = hit.locator("p.context")
    excerpt.wait_for(timeout=5000)
    assert "LoRA" in excerpt.inner_text()
    page.context.close()


def test_explorables_move_on_a_page_opened_from_its_file(site, browser):
    page, _ = page_of(browser, color_scheme="dark")
    for pair in SESSIONS:
        path = site / f"{pair.name}.html"
        if 'class="explorable"' not in path.read_text("utf-8"):
            continue
        page.goto(path.as_uri())
        for figure in page.locator(".explorable").all():
            figure.locator("input[type=range]").focus()
            page.keyboard.press("Home")
            before = figure.locator("img").get_attribute("src")
            page.keyboard.press("ArrowRight")
            assert figure.locator("img").get_attribute("src") != before, pair
    page.context.close()


def test_each_term_links_to_where_it_is_explained_and_back(seen):
    links = {
        page: {Path(it).name for it in was.facts["links"]}
        for page, was in seen.items()
    }
    entries = read_glossary()
    assert len(entries) >= 40
    for entry in entries:
        (there,) = [
            it
            for it in links["glossary.html"]
            if it.endswith(f"#{entry.anchor}")
        ]
        session = there.partition("#")[0]
        back = f"glossary.html#term-{entry.term.replace(' ', '-')}"
        assert back in links[session], f"{session} does not link to {back}."


def test_decks_are_linked_where_they_are_there(seen):
    for number, pair in enumerate(SESSIONS):
        linked = {
            Path(it).name
            for it in seen[f"{pair.name}.html"].facts["links"]
            if "/decks/" in it
        }
        ends = (".html", ".pdf", "_notes.pdf") if number == 0 else ()
        there = {f"{pair.name}{end}" for end in ends}
        assert linked == there


def test_every_page_of_a_notebook_offers_it_to_download(seen, site):
    for pair in all_pairs():
        page = pair.relative_to(NOTEBOOKS)
        links = [file_of(it) for it in seen[f"{page}.html"].facts["links"]]
        copy = site / "downloads" / f"{page}.ipynb"
        assert copy in links
        assert copy.read_bytes() == Path(f"{pair}.ipynb").read_bytes()
        assert site / "downloads" / f"{pair.name}.zip" in links


def test_no_page_has_a_button_while_the_series_has_no_address(seen):
    for page, was in seen.items():
        links = [it for it in was.facts["links"] if HOSTS.search(it)]
        assert not links, f"{page}: {links}"


@pytest.fixture(scope="module")
def staged(tmp_path_factory):
    """Write the site's sources for a published series; return the folder."""
    folder = tmp_path_factory.mktemp("staged")
    pages.stage(folder, pages.published(ADDRESS))
    return folder


def test_a_published_session_has_a_button_for_each_place(staged):
    for pair in all_pairs():
        page = f"{pair.relative_to(NOTEBOOKS)}.ipynb"
        first = nbformat.read(staged / "source" / page, 4).cells[0].source
        links = [it for it in re.findall('href="(.+?)"', first) if ":" in it]
        edit = f"{ADDRESS}/edit/main/notebooks/{page.replace('ipynb', 'md')}"
        github = f"owner/name/blob/gh-pages/downloads/{page}"
        if pair.parent != NOTEBOOKS:
            assert links == [edit]
            continue
        assert links == [
            f"https://colab.research.google.com/github/{github}",
            f"https://kaggle.com/kernels/welcome?src=https://github.com/{github}",
            f"https://mybinder.org/v2/gh/owner/name/main?labpath=notebooks%2F{page}",
            "https://codespaces.new/owner/name?quickstart=1",
            edit,
        ]
        # The branch gh-pages contains the site itself.
        assert (staged / "extra" / "downloads" / page).exists()
    start = (staged / "source" / "index.md").read_text("utf-8")
    assert "\n\n**Run a session in your browser.**" in start
    assert f"]({ADDRESS})" in start


def test_a_published_notebook_leads_from_anywhere_to_what_it_needs(
    staged, site
):
    for pair in all_pairs():
        page = f"{pair.relative_to(NOTEBOOKS)}.ipynb"
        nb = nbformat.read(staged / "extra" / "downloads" / page, 4)
        for cell in nb.cells:
            if cell.cell_type == "code":
                continue
            for link in re.findall(r"\]\((\S+?)\)", cell.source):
                assert re.match("https?://|#", link), link
                if link.startswith(f"{ADDRESS}/blob/main/"):
                    path = link.removeprefix(f"{ADDRESS}/blob/main/")
                    assert Path(path).exists(), link
                elif link.startswith("https://owner.github.io/name/"):
                    path = link.removeprefix("https://owner.github.io/name/")
                    assert (site / path).exists(), link


def test_an_address_that_the_buttons_could_not_use_is_refused():
    for wrong in (
        "owner/name",
        "https://example.org/owner/name",
        f"{ADDRESS}/",
    ):
        with pytest.raises(Problem, match="write it as https"):
            pages.published(wrong)
    root = pages.published("https://github.com/Owner/owner.github.io")
    assert root["site"] == "https://owner.github.io/"


# The next test makes sure that our checks find these faults on a page.
FAULTS = """
<img src="https://example.org/a.png"> <img alt="" src="large.svg">
<a href="nowhere.html">to no page</a> <a href="#nowhere">to no anchor</a>
<p style="color: #cccccc">pale</p> <p style="background: #131416; color: #333">dark</p>
<p style="font-size: 12px">tiny</p> <div style="width: 600px">wide</div>
<p>a formula left: $x^2$</p> <p><span class="math">\\(\\nosuchmacro\\)</span></p>
"""


def test_each_kind_of_fault_is_seen(site, browser):
    page = site / "02_neural_nets.html"
    faulty = site / "faulty.html"
    (site / "large.svg").write_text(
        f"<svg xmlns='http://www.w3.org/2000/svg'><!--{'.' * LARGEST}--></svg>"
    )
    start, end = page.read_text("utf-8").split("</article>")
    # The first cells are enough.
    start = start[: start.index("</section>")]
    faulty.write_text(f"{start}{FAULTS}</section></article>{end}", "utf-8")
    (was,) = look(browser, faulty)
    faulty.unlink()
    assert was.outside == ["https://example.org/a.png"]
    assert len(was.undescribed) == 2
    assert len([it for it in was.shut_out if "color-contrast" in it]) >= 2
    wrong, left = was.unset
    assert "Undefined control sequence" in wrong and left == "$x^2$"
    assert was.bytes > LARGEST
    assert was.facts["small"] == ["12 px: tiny"]
    assert any("wide" in it for it in was.facts["wide"])
    lost = [it for it in broken({"faulty.html": was}) if "nowhere" in it]
    assert len(lost) == 2


def test_what_sphinx_warns_of_is_an_error(tmp_path):
    for name in ("source", "static", "extra"):
        (tmp_path / name).mkdir()
    text = "# A page\n\n[a link](nowhere.md)\n"
    (tmp_path / "source" / "index.md").write_text(text)
    with pytest.raises(Problem, match="target not found"):
        pages.build(tmp_path, tmp_path / "site")


def test_the_page_for_what_is_missing_works_at_any_address(tmp_path, browser):
    pages.copy(pages.HERE / "404.md", tmp_path / "source" / "404.md")
    (tmp_path / "source" / "index.md").write_text("# Start\n")
    pages.copy(pages.HERE / "static", tmp_path / "static")
    (tmp_path / "extra").mkdir()
    site = tmp_path / "site"
    # Ignore Sphinx's warning about building twice in one process.
    with contextlib.suppress(Problem):
        pages.build(tmp_path, site, f"{site.as_uri()}/")
    lost = site / "no" / "such" / "page.html"
    pages.copy(site / "404.html", lost)
    page, _ = page_of(browser)
    page.goto(lost.as_uri())
    links = page.evaluate(
        """[...document.querySelectorAll("a, link, script[src]")]
            .map((it) => it.href || it.src)"""
    )
    files = [it for link in links if (it := file_of(link))]
    assert {site / "index.html", site / "_static" / "site.css", lost} <= {
        *files
    }
    assert all(it.is_file() for it in files), files
    page.context.close()


def test_where_building_fails_the_site_stays(tmp_path, monkeypatch):
    def fail(*_):
        raise Problem("It fails.")

    site = tmp_path / "site"
    site.mkdir()
    (site / "index.html").write_text("what was there")
    monkeypatch.setattr(pages, "BUILD", tmp_path)
    monkeypatch.setattr(pages, "SITE", site)
    monkeypatch.setattr(pages, "stage", lambda *_: None)
    monkeypatch.setattr(pages, "build", fail)
    with pytest.raises(Problem, match="It fails"):
        pages.tool([])
    assert [it.name for it in tmp_path.iterdir()] == ["site"]
    assert (site / "index.html").read_text() == "what was there"


def notebook(*texts):
    """Return a notebook with a title and these Markdown cells."""
    cells = ["# Intuitive AI\n\n## Session 9: a title", *texts]
    return nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_markdown_cell(it) for it in cells]
    )


def test_the_cards_take_what_the_openings_say():
    opening = "**What you need**\n\nYou need Session 1. And time."
    said = "If you present this part to a group, it takes 70 minutes."
    nb = notebook(opening, said, "## Part two", said.replace("70", "60"))
    nb.cells[3].metadata["tags"] = ["part-2"]
    assert pages.opening_of(nb) == {
        "time": "70 and 60 minutes with a group. About 5 minutes to read.",
        "needs": "You need Session 1.",
    }
    with pytest.raises(Problem, match="what they have to know"):
        pages.opening_of(notebook("You need Session 1."))


def test_references_are_taken_from_their_list_alone():
    for head in (
        "## References",
        "**References**",
        "**References.** Read on:",
    ):
        nb = notebook(
            f"Before.\n\n- no\n\n{head}\n\n- [one](a)\n- two\n\n**Then** more.\n\n- no"
        )
        assert pages.references_of(nb) == "- [one](a)\n- two"
    with pytest.raises(Problem, match="no list of references"):
        pages.references_of(notebook("- one"))


def test_a_term_is_linked_where_it_is_first_explained():
    entry = Entry(["token", "tokens of text"], "A unit.")
    early = notebook(
        "## The plan", "Then come tokens.", "## A", "`token` [a token](a)"
    )
    late = notebook(
        "## B", "A token, and\n\n| token |\n\n**Tokens** are units."
    )
    link_terms([entry], {"01_a": early, "02_b": late})
    assert entry.session == "02_b"
    assert late.cells[2].source.endswith(
        "[**{term}`Tokens <token>`**]{#met-token} are units."
    )
    with pytest.raises(Problem, match="no session mentions"):
        link_terms([Entry(["quark"], "?")], {"01_a": early})


@pytest.mark.parametrize("session", SESSIONS, ids=str)
def test_the_zip_of_a_session_runs_by_itself(session, tmp_path):
    path = tmp_path / "session.zip"
    pages.write_zip(session, path, pages.requirements())
    folder = tmp_path / "empty"
    zipfile.ZipFile(path).extractall(folder)
    folder /= session.name
    assert len((folder / "README.txt").read_text("utf-8").splitlines()) == 5
    lock = (folder / "requirements.txt").read_text("utf-8")
    assert re.search(r"^jax==[\d.]+$", lock, re.M)
    assert re.search(r"^jupyterlab==[\d.]+$", lock, re.M)

    notebook = folder / "notebooks" / f"{session.name}.ipynb"
    nb = nbformat.read(notebook, as_version=4)
    text = "\n".join(
        it.source for it in nb.cells if it.cell_type == "markdown"
    )
    for link in re.findall(r"\]\((?!\w+:)([^)#]+)\)", text):
        assert (notebook.parent / link).exists(), link
    code = [i for i, it in enumerate(nb.cells) if it.cell_type == "code"]
    nb.cells = nb.cells[: code[9] + 1]
    execute(nb, notebook.parent)
