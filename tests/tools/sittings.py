"""Measure the length of each session, separately for each sitting.

Each part of a session is one sitting. `python tests/tools/sittings.py` prints
a table of all sittings.
"""

import re
from types import SimpleNamespace

from decks import slides_of
from sessions import (
    NOTEBOOKS,
    all_pairs,
    kind_of,
    main,
    parts_of,
    read_ipynb,
)

PICTURE = re.compile(r"!\[|<img|<svg")
# An aside is a block quote that begins with the minutes.
NOTE = re.compile(r"> (\d+) min\. .+(\n>.*)*")


def shown(slide):
    """Return the cells of a slide that the audience sees."""
    return [cell for cell in slide if kind_of(cell) != "notes"]


def has_picture(slide):
    """Return whether a slide shows a plot, a drawing or an explorable."""
    cells = shown(slide)
    texts = [cell.source for cell in cells if cell.cell_type == "markdown"]
    for output in (it for cell in cells for it in cell.get("outputs", [])):
        data = output.get("data", {})
        if "image/png" in data or "image/svg+xml" in data:
            return True
        texts.append(data.get("text/html", ""))
    return any(PICTURE.search(text) for text in texts)


def is_silent(slide):
    """Return whether a slide shows code but neither an output nor a picture."""
    code = [cell for cell in shown(slide) if cell.cell_type == "code"]
    return (
        bool(code)
        and not any(cell.outputs for cell in code)
        and not has_picture(slide)
    )


def notes_of(cells):
    """Return the notes for the presenter, one text for each cell."""
    return [cell.source for cell in cells if kind_of(cell) == "notes"]


def minutes_of(slide):
    """Return the minutes given in a slide's notes, or 0 if none are given."""
    found = [NOTE.fullmatch(note) for note in notes_of(slide)]
    return sum(int(match[1]) for match in found if match)


def minutes_announced(cells):
    """Return how many minutes a sitting is said to take with a group.

    Return None if the text does not state a time.
    """
    prose = "\n".join(c.source for c in cells if c.cell_type == "markdown")
    match = re.search(r"to a group,[^.]*?(\d+) minutes", prose)
    return int(match[1]) if match else None


def sittings_of(nb):
    """Return the figures for each sitting of a session.

    `nb` is the session's notebook. Return a list of namespaces. Each namespace
    has the number of all `slides`, of slides with `pictures`, and of `silent`
    slides, which show code without output. It also has the total `minutes` of
    the notes and the `announced` minutes. `loose` lists the notes that are not
    an aside or do not state their minutes.
    """
    return [
        SimpleNamespace(
            slides=len(slides),
            minutes=sum(map(minutes_of, slides)),
            announced=minutes_announced(cells),
            pictures=sum(map(has_picture, slides)),
            silent=sum(map(is_silent, slides)),
            loose=[it for it in notes_of(cells) if not NOTE.fullmatch(it)],
        )
        for cells in parts_of(nb.cells)
        for slides in [slides_of(SimpleNamespace(cells=cells))]
    ]


def tool():
    """Print the figures for all sessions."""
    print(
        f"{'session':28} {'slides':>7} {'minutes':>8} {'announced':>10} "
        f"{'with pictures':>14} {'no output':>10}"
    )
    for pair in all_pairs():
        if pair.parent != NOTEBOOKS:
            continue
        for part, it in enumerate(sittings_of(read_ipynb(pair)), start=1):
            print(
                f"{f'{pair.name}, part {part}':28} {it.slides:7} {it.minutes:8} "
                f"{it.announced or 'nothing':>10} {it.pictures:14} {it.silent:10}"
            )


if __name__ == "__main__":
    main(tool)
