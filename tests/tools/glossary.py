"""Build the site's glossary, with links to where each term is explained."""

import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sessions import Problem

SOURCE = Path(__file__).parent / "site" / "glossary.md"
# Parts of a text in which we must not add links: code, formulas, links and
# pictures, HTML, headings and tables.
TAKEN = re.compile(
    r"```.*?```|`[^`\n]+`|\$\$.+?\$\$|\$[^$\n]+\$"
    r"|!?\[[^\]]*\](?:\([^)]*\)|\{[^}]*\})|<[^>]+>|^[#|][^\n]*$",
    re.S | re.M,
)
# Headings and first words of cells that only give a preview or a summary.
OVERVIEW = re.compile(
    r"What you will be able|Reading this on your own|Where (we are|the study club)"
    r"|References|^The plan|^Next |^What to remember|^Exercise",
    re.M,
)


@dataclass
class Entry:
    """A term of the glossary, with its spellings and its meaning.

    `session` is the session that explains the term.
    """

    spellings: list
    meaning: str
    session: str = ""  # the name of the session's notebook

    @property
    def term(self):
        """Return the spelling that the glossary shows."""
        return self.spellings[0]

    @property
    def anchor(self):
        """Return the id of the place where the session explains the term."""
        return "met-" + re.sub(r"\W+", "-", self.term.lower())

    def patterns(self):
        """Return patterns for the term in bold and for the term anywhere."""
        words = "|".join(re.escape(it) for it in self.spellings)
        return (
            re.compile(rf"\*\*(?:(?:an?|the) )?(?:{words})s?\.?\*\*", re.I),
            re.compile(rf"(?<![\w-])(?:{words})s?(?![\w-])", re.I),
        )


def read_glossary():
    """Return the entries of the glossary's source.

    In the source, the first line of an entry contains the term and its other
    spellings, separated by semicolons. The next line starts with a colon and
    contains the meaning.
    """
    found = re.findall(r"^(.+)\n: (.+)$", SOURCE.read_text("utf-8"), re.M)
    return [Entry(terms.split("; "), meaning) for terms, meaning in found]


def linked(text, match, entry):
    """Return a text in which a matched term is a link and a link target."""
    shown = match[0].strip("*")
    role = f"{{term}}`{shown} <{entry.term}>`"
    bold = "**" if match[0].startswith("**") else ""
    link = f"[{bold}{role}{bold}]{{#{entry.anchor}}}"
    return text[: match.start()] + link + text[match.end() :]


def link_terms(entries, notebooks):
    """Link each term at the place where a session first explains it.

    We take the first session that has the term in bold, or else the first
    session that mentions it. Within that session, we prefer a place below a
    heading with the term, and avoid folded answers. The function changes the
    Markdown cells, and stores the sessions in the entries.

    `entries` are the entries of the glossary. `notebooks` is a dict that maps
    names to sessions, in order. Raise Problem if no session mentions a term.
    """
    cells = list(explaining(notebooks))
    for entry in entries:
        for pattern in entry.patterns():
            places = [
                (name, cell, match, heading)
                for name, cell, heading in cells
                if (match := pattern.search(free(cell.source)))
            ]
            if places:
                break
        else:
            raise Problem(
                f"The glossary explains {entry.term!r}, which no session "
                "mentions: change or remove it in "
                f"{SOURCE.relative_to(Path.cwd())}."
            )
        entry.session = places[0][0]
        here = [it for it in places if it[0] == entry.session]
        _, cell, match, _ = min(here, key=partial(unlikely, entry))
        cell.source = linked(cell.source, match, entry)


def unlikely(entry, place):
    """Return a sort key, which is smaller for likelier explanations."""
    _, cell, _, heading = place
    elsewhere = entry.term.lower() not in heading.lower()
    return elsewhere, cell.source.startswith("<details>")


def explaining(notebooks):
    """Yield (session, cell, heading) for each cell that may explain a term."""
    for name, nb in notebooks.items():
        heading = ""
        for cell in nb.cells[1:]:
            if cell.cell_type == "markdown":
                found = re.findall(r"^#+ (.+)$", cell.source, re.M)
                heading = found[-1] if found else heading
                if not OVERVIEW.search(f"{heading}\n{cell.source}"):
                    yield name, cell, heading


def free(text):
    """Blank out the parts of a text that must not contain links.

    The length of the text stays the same.
    """
    return TAKEN.sub(lambda it: "\n" * len(it[0]), text)


def as_page(entries):
    """Return the glossary as Markdown, with links to the sessions."""
    lines = ["# Glossary", "", "```{glossary}", ":sorted:", ""]
    for it in entries:
        number = int(it.session[:2])
        lines += [
            it.term,
            f"  {it.meaning} Explained in [Session&nbsp;{number}](#{it.anchor}).",
            "",
        ]
    return "\n".join([*lines, "```", ""])
