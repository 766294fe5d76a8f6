"""The glossary of the site: its terms, linked with where a session explains them."""

import re
from dataclasses import dataclass
from pathlib import Path

from sessions import Problem

SOURCE = Path(__file__).parent / "site" / "glossary.md"
# Where no link may be put: code, formulas, links and pictures, HTML, headings
# and tables.
TAKEN = re.compile(
    r"```.*?```|`[^`\n]+`|\$\$.+?\$\$|\$[^$\n]+\$"
    r"|!?\[[^\]]*\](?:\([^)]*\)|\{[^}]*\})|<[^>]+>|^[#|][^\n]*$",
    re.S | re.M,
)
# Cells, or the headings above them, that only look ahead or back.
OVERVIEW = re.compile(
    r"What you will be able|Reading this on your own|Where (we are|the study club)"
    r"|References|^The plan|^Next |^What to remember",
    re.M,
)


@dataclass
class Entry:
    """A term: how it may be spelled, what it means, and who explains it."""

    spellings: list
    meaning: str
    session: str = ""  # the name of its notebook
    heading: str = ""  # of the section

    @property
    def term(self):
        """The spelling that the glossary shows."""
        return self.spellings[0]

    @property
    def anchor(self):
        """The id of the place in the session where the term is explained."""
        return "met-" + re.sub(r"\W+", "-", self.term.lower())

    def patterns(self):
        """Return what to look for: first the term in bold, then as it is."""
        words = "|".join(re.escape(it) for it in self.spellings)
        return (
            re.compile(rf"\*\*(?:(?:an?|the) )?(?:{words})s?\.?\*\*", re.I),
            re.compile(rf"(?<![\w-])(?:{words})s?(?![\w-])", re.I),
        )


def read_glossary():
    """Return the entries of the glossary's source.

    An entry is a line with the term, and other spellings after semicolons,
    followed by its meaning after a colon.
    """
    found = re.findall(r"^(.+)\n: (.+)$", SOURCE.read_text("utf-8"), re.M)
    return [Entry(terms.split("; "), meaning) for terms, meaning in found]


def linked(text, match, entry):
    """Return a text in which a term links to the glossary, and can be linked to."""
    shown = match[0].strip("*")
    role = f"{{term}}`{shown} <{entry.term}>`"
    bold = "**" if match[0].startswith("**") else ""
    link = f"[{bold}{role}{bold}]{{#{entry.anchor}}}"
    return text[: match.start()] + link + text[match.end() :]


def link_terms(entries, notebooks):
    """Link each term where a session first explains it.

    That is where it first stands in bold, or else where a text first names
    it. Changes the Markdown cells, and notes the places in the entries.

    Takes: `entries` of the glossary; `notebooks`, the sessions' by their
    names, in their order. Raises Problem for a term that no session names.
    """
    cells = [
        (name, nb, cell)
        for name, nb in notebooks.items()
        for cell in nb.cells[1:]
        if cell.cell_type == "markdown"
        and not OVERVIEW.search(f"{heading_above(nb, cell)}\n{cell.source}")
    ]
    for entry in entries:
        found = (
            (name, nb, cell, match)
            for pattern in entry.patterns()
            for name, nb, cell in cells
            # What is taken is hidden, at the same length.
            if (
                match := pattern.search(
                    TAKEN.sub(lambda it: "\n" * len(it[0]), cell.source)
                )
            )
        )
        name, nb, cell, match = next(found, (None,) * 4)
        if not name:
            raise Problem(
                f"The glossary explains {entry.term!r}, which no session "
                f"names: change or remove it in {SOURCE.relative_to(Path.cwd())}."
            )
        entry.session = name
        entry.heading = heading_above(nb, cell, match.start())
        cell.source = linked(cell.source, match, entry)


def heading_above(nb, cell, place=None):
    """Return the last heading above a place in a notebook's cell, or above its end."""
    above = [
        it.source
        for it in nb.cells[: nb.cells.index(cell)]
        if it.cell_type == "markdown"
    ]
    text = "\n".join([*above, cell.source[:place]])
    return re.findall(r"^#+ (.+)$", text, re.M)[-1]


def as_page(entries):
    """Return the glossary in Markdown, after its terms were linked."""
    lines = ["# Glossary", "", "```{glossary}", ":sorted:", ""]
    for it in entries:
        number = int(it.session[:2])
        lines += [
            it.term,
            f"  {it.meaning} [Session {number}, {it.heading}](#{it.anchor})",
            "",
        ]
    return "\n".join([*lines, "```", ""])
