"""Finds a session's exercises by their cells' tags, and proves that they work.

The cells of exercise 1 carry the tags task-1, answer-1 and check-1. The answer
in the session's solutions also has the tag answer-1, and typical mistakes are
in tests/wrong_answers/. So nothing is written twice.
"""

import re
from pathlib import Path

import jupytext
from sessions import Problem, read_ipynb

WRONG_ANSWERS = Path("tests/wrong_answers")
NONSENSE = (
    '"nonsense"',
    "[]",
    'float("nan")',
    "print",
    "[None, None]",  # gaps left open
    '["1", None, 2.0]',
    "[[1.0, 2.0], [3.0]]",  # ragged
    "[None] * 1000",
)

# This runs an answer and then the check, with copies of the session's names.
PROOF = """
from contextlib import redirect_stdout
from io import StringIO

names, out = dict(globals()), StringIO()
with redirect_stdout(out):
    exec({answer!r}, names)
    exec({check!r}, names)
said = out.getvalue().splitlines()[-1]
assert said.startswith("Exercise {number}: ")
assert ("correct" in said) is {right}, said
assert {words!r} in said, said
"""


def tagged(nb, tag):
    """Return the sources of the cells that have a tag, as one text."""
    return "\n\n".join(
        cell.source
        for cell in nb.cells
        if tag in cell.metadata.get("tags", [])
    )


def exercises_of(nb):
    """Return the numbers of a session's exercises, in the notebook's order."""
    tags = [tag for cell in nb.cells for tag in cell.metadata.get("tags", [])]
    found = [re.fullmatch(r"check-(\d+)", tag) for tag in tags]
    return [int(match[1]) for match in found if match]


def solutions_of(pair):
    """Return the path, without suffix, of a session's solutions."""
    return pair.parent / "solutions" / pair.name


def session_of(pair):
    """Return the path, without suffix, of the session that solutions are for.

    Returns None if `pair` is a session itself.
    """
    if pair.parent.name != "solutions":
        return None
    return pair.parent.parent / pair.name


def for_solutions(cell):
    """Return whether solutions show or run this cell of their session."""
    tags = " ".join(cell.metadata.get("tags", []))
    return bool(re.search(r"for-solutions|(task|check)-\d", tags))


def wrong_answers_to(pair, folder=WRONG_ANSWERS):
    """Return typical mistakes in a session's exercises.

    Takes: the session's path without suffix; the folder that holds the
    mistakes. Returns a list of (number of the exercise, words that the check
    must say, code of the answer). Raises Problem if a title has another form.
    """
    path = folder / f"{pair.name}.py"
    shared, wrong = "", []
    for cell in jupytext.read(path).cells:
        title = cell.metadata.get("title", "")
        match = re.fullmatch(r"(\d+): (.+)", title)
        if match:
            code = f"{shared}\n\n{cell.source}"
            wrong.append((int(match[1]), match[2], code))
        elif title:
            raise Problem(
                f"{path}: write each title as '1: what the check says', not "
                f"{title!r}."
            )
        else:
            shared += cell.source  # what all of them import
    return wrong


def proof(nb, number, answer, words):
    """Return code that runs after a session and proves what a check says.

    Takes: the session's notebook; the number of the exercise; the code of an
    answer; words that the check must say, which are "correct" if the answer is
    right. If the check says something else, the code raises AssertionError
    with what it said.
    """
    return PROOF.format(
        number=number,
        answer=answer,
        check=tagged(nb, f"check-{number}"),
        right=words == "correct",
        words=words,
    )


def solved(nb, pair):
    """Yield (name, code) for each exercise, to prove its solution correct.

    Takes: a session's notebook, and its path without suffix.
    """
    numbers = exercises_of(nb)
    solutions = read_ipynb(solutions_of(pair)) if numbers else None
    for number in numbers:
        answer = tagged(solutions, f"answer-{number}")
        name = f"Exercise {number}, solution"
        yield name, proof(nb, number, answer, "correct")


def refused(nb, pair, folder=WRONG_ANSWERS):
    """Yield (name, code) to prove that checks reject mistakes and nonsense.

    Takes: a session's notebook, its path without suffix, and the folder of
    the wrong answers.
    """
    numbers = exercises_of(nb)
    wrong = wrong_answers_to(pair, folder) if numbers else []
    for count, (number, words, answer) in enumerate(wrong, start=1):
        if number in numbers:
            yield (
                f"Exercise {number}, mistake {count}: {words}",
                proof(nb, number, answer, words),
            )
    for number in numbers:
        gap = tagged(nb, f"answer-{number}")
        for value in NONSENSE:
            answer = gap.replace("= None", f"= {value}")
            yield (
                f"Exercise {number}, nonsense: {value}",
                proof(nb, number, answer, ""),
            )
