"""Find a session's exercises by the tags of their cells, and test them.

The cells of exercise 1 have the tags task-1, answer-1 and check-1. The answer
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
    "[None, None]",  # unfilled gaps
    '["1", None, 2.0]',
    "[[1.0, 2.0], [3.0]]",  # a ragged list
    "[None] * 1000",
)

# This code runs an answer and then the check, with a copy of the session's
# variables.
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
    """Return the sources of all cells with a tag, joined into one text."""
    return "\n\n".join(
        cell.source
        for cell in nb.cells
        if tag in cell.metadata.get("tags", [])
    )


def exercises_of(nb):
    """Return a session's exercise numbers, in the notebook's order."""
    tags = [tag for cell in nb.cells for tag in cell.metadata.get("tags", [])]
    found = [re.fullmatch(r"check-(\d+)", tag) for tag in tags]
    return [int(match[1]) for match in found if match]


def solutions_of(pair):
    """Return the path, without suffix, of a session's solutions."""
    return pair.parent / "solutions" / pair.name


def session_of(pair):
    """Return the path of the session that a notebook of solutions belongs to.

    Both paths have no suffix. Return None if `pair` is a session itself.
    """
    if pair.parent.name != "solutions":
        return None
    return pair.parent.parent / pair.name


def for_solutions(cell):
    """Return whether the solutions show or run this cell of the session."""
    tags = " ".join(cell.metadata.get("tags", []))
    return bool(re.search(r"for-solutions|(task|check)-\d", tags))


def wrong_answers_to(pair, folder=WRONG_ANSWERS):
    """Return typical mistakes in a session's exercises.

    `pair` is the session's path without suffix, and `folder` contains the
    mistakes. Return a list of tuples. Each tuple has an exercise number, the
    words that the check must print, and the code of the wrong answer. Raise
    Problem if a title in the file does not have the right form.
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
            shared += cell.source  # what all mistakes import
    return wrong


def proof(nb, number, answer, words):
    """Return code that tests what a check prints about an answer.

    The code runs after the session in `nb`. `number` is the exercise number,
    and `answer` is the code of the answer. The check must print `words`, which
    are "correct" if the answer is right. If the check prints something else,
    the code raises AssertionError with this output.
    """
    return PROOF.format(
        number=number,
        answer=answer,
        check=tagged(nb, f"check-{number}"),
        right=words == "correct",
        words=words,
    )


def solved(nb, pair):
    """Yield (name, code) pairs that test whether the solutions are correct.

    `nb` is a session's notebook, and `pair` is its path without suffix.
    """
    numbers = exercises_of(nb)
    solutions = read_ipynb(solutions_of(pair)) if numbers else None
    for number in numbers:
        answer = tagged(solutions, f"answer-{number}")
        name = f"Exercise {number}, solution"
        yield name, proof(nb, number, answer, "correct")


def refused(nb, pair, folder=WRONG_ANSWERS):
    """Yield (name, code) for tests that checks reject mistakes and nonsense.

    `nb` is a session's notebook, `pair` is its path without suffix, and
    `folder` contains the wrong answers.
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
