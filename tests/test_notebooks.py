"""Test that notebooks follow our conventions, without running them.

For each .ipynb, nbval checks that the outputs match those of a fresh run.
"""

import re
from statistics import median

import nbformat
import pytest
from decks import slides_of
from exercises import exercises_of, solutions_of, wrong_answers_to
from sessions import NOTEBOOKS, all_pairs, as_md, kind_of, read_ipynb, read_md
from sync import checksum, content

from tests.plugin import FLOAT, WITHIN

PAIRS = all_pairs()
# How many cells of each notebook have outputs that are not compared. Each of
# these cells states the reason.
UNCOMPARED = {
    "notebooks/01_models_and_gradients": 2,
    "notebooks/02_neural_nets": 4,
    "notebooks/03_architectures": 2,
    "notebooks/04_basic_gpt": 12,
    "notebooks/05_llm_ecosystem": 8,
    "notebooks/06_shaping_llms": 9,
    "notebooks/solutions/02_neural_nets": 1,
    "notebooks/solutions/06_shaping_llms": 1,
}
IGNORED = {"nbval-ignore-output", "nbval-skip", "raises-exception"}
SLIDE_TYPES = {"-", "slide", "subslide", "fragment", "notes", "skip"}

HINT, ANSWER = (
    f"<details><summary>{it}</summary>" for it in ("Hint", "Answer")
)

on_every_pair = pytest.mark.parametrize("pair", PAIRS, ids=str)
on_every_session = pytest.mark.parametrize(
    "pair", [pair for pair in PAIRS if pair.parent == NOTEBOOKS], ids=str
)


def code_cells(nb):
    """Return a notebook's code cells."""
    return [cell for cell in nb.cells if cell.cell_type == "code"]


def shown(nb):
    """Return the cells that a deck shows, each with its slide type."""
    cells = [(c, kind_of(c)) for c in nb.cells]
    return [
        (cell, kind) for cell, kind in cells if kind not in ("skip", "notes")
    ]


@on_every_pair
def test_both_halves_of_a_pair_say_the_same(pair):
    md, nb = (
        pair.with_suffix(".md").read_text(encoding="utf-8"),
        read_ipynb(pair),
    )
    assert md == as_md(nb), (
        f"{pair}.md and .ipynb differ: run `make sync`, then `make run`."
    )
    assert nb.metadata.get("checksum") == checksum(content(nb)), (
        f"The checksum in {pair}.ipynb does not match its content: "
        "run `make sync`."
    )


@on_every_pair
def test_slides_tags_and_alt_text_survive_the_round_trip(pair):
    def kept(nb):
        return [(c.cell_type, c.source, c.metadata) for c in nb.cells]

    assert kept(read_md(pair)) == kept(read_ipynb(pair)), (
        "Some cells in the .ipynb have metadata that the .md does not have. "
        "`make run` removes the metadata that editors add. To keep your own "
        "metadata, add its names to cell_metadata_filter in pyproject.toml."
    )


@on_every_pair
def test_each_half_knows_its_other_half(pair):
    for nb in (read_md(pair), read_ipynb(pair)):
        assert nb.metadata.jupytext.formats == "ipynb,md"


@on_every_pair
def test_nothing_is_said_about_jupytexts_version(pair):
    for suffix in (".md", ".ipynb"):
        assert "jupytext_version" not in pair.with_suffix(suffix).read_text(
            encoding="utf-8"
        ).replace("-jupytext.text_representation.jupytext_version", "")


@on_every_pair
def test_outputs_come_from_one_fresh_run(pair):
    cells = [c for c in code_cells(read_ipynb(pair)) if c.source.strip()]
    counts = [cell.execution_count for cell in cells]
    assert counts == list(range(1, len(cells) + 1)), "Run `make run`."
    assert read_ipynb(pair).metadata["running_seconds"] > 0


@on_every_pair
def test_outputs_hold_no_errors_warnings_or_times(pair):
    for cell in code_cells(read_ipynb(pair)):
        for output in cell.outputs:
            assert output.output_type != "error", cell.source
            assert output.get("name") != "stderr", (
                f"{cell.source}\n{output.text}"
            )
        assert "execution" not in cell.metadata, (
            "This cell has time stamps: run `make run`."
        )


@on_every_pair
def test_cells_that_are_not_compared_say_why_and_are_counted(pair):
    cells = [
        cell
        for cell in code_cells(read_ipynb(pair))
        if IGNORED & set(cell.metadata.get("tags", []))
    ]
    for cell in cells:
        assert len(cell.metadata.get("reason", "")) > 20, (
            'Add reason="…" to this cell to say why its output cannot be '
            f"compared:\n{cell.source}"
        )
    for cell in code_cells(read_ipynb(pair)):
        if any(WITHIN.match(tag) for tag in cell.metadata.get("tags", [])):
            said = "".join(
                it.get("text", "") + "".join(it.get("data", {}).values())
                for it in cell.outputs
                if "image/png" not in it.get("data", {})
            )
            assert cell.metadata.get("reason") and FLOAT.search(said), (
                'Add reason="…" to this cell to say why its output is '
                "compared with a tolerance, and print its numbers as floats:\n"
                f"{cell.source}"
            )
    assert len(cells) == UNCOMPARED.get(pair.as_posix(), 0)
    sources = "\n".join(cell.source for cell in code_cells(read_ipynb(pair)))
    assert not re.search(r"(?i)#\s*(nbval|pytest)", sources), (
        "use tags instead of comments"
    )


@on_every_pair
def test_every_plot_and_picture_has_a_description(pair):
    for cell in read_ipynb(pair).cells:
        if cell.cell_type == "code":
            if any(
                "image/png" in output.get("data", {})
                for output in cell.outputs
            ):
                assert len(cell.metadata.get("alt", "")) > 40, (
                    'Add alt="…" to this cell to describe its plot:\n'
                    f"{cell.source}"
                )
        else:
            for alt, target in re.findall(
                r"!\[([^\]]*)\]\(([^)]*)\)", cell.source
            ):
                assert len(alt) > 40, (
                    f"Describe the picture {target} in the square brackets."
                )
                assert (pair.parent / target).is_file(), (
                    f"The file {target} does not exist."
                )


@on_every_session
def test_slide_types_are_known_and_the_deck_opens_with_a_slide(pair):
    kinds = [kind for _, kind in shown(read_ipynb(pair))]
    assert set(kinds) <= SLIDE_TYPES
    assert kinds[0] == "slide"


@on_every_session
def test_code_is_short_enough_for_a_slide(pair):
    nb = read_ipynb(pair)
    lengths = []
    for cell, _ in shown(nb):
        if cell.cell_type == "code":
            length = len(cell.source.splitlines())
            assert length <= 12, (
                f"This cell has more than 12 lines: split it.\n{cell.source}"
            )
            # The deck hides the code that draws a picture, so this code
            # doesn't count.
            if not any(
                "image/png" in it.get("data", {}) for it in cell.outputs
            ):
                lengths.append(length)
    assert median(lengths) <= 5
    for cell in code_cells(nb):
        for line in cell.source.splitlines():
            assert len(line) <= 79, (
                f"This line is longer than 79 characters.\n{line}"
            )


@on_every_session
def test_text_is_short_enough_for_a_slide(pair):
    for cell, _ in shown(read_ipynb(pair)):
        if cell.cell_type == "markdown":
            prose = re.sub(
                r"^[#|!].*$|\$\$.*?\$\$|\(http.*?\)|</?details>|<summary>.*",
                "",
                cell.source,
                flags=re.M,
            )
            words = len(prose.split())
            a_list = re.search(r"^(- |1\. )", cell.source, flags=re.M)
            assert words <= (60 if a_list else 45), (
                f"This text has {words} words: split it.\n{cell.source}"
            )


@on_every_session
def test_every_slide_that_asks_or_runs_has_notes_for_the_presenter(pair):
    for slide in slides_of(read_ipynb(pair)):
        shown = [cell for cell in slide if kind_of(cell) != "notes"]
        runs = any(cell.cell_type == "code" for cell in shown)
        asks = any(
            "?" in re.sub(r"\(http.*?\)", "", cell.source)
            or "Predict" in cell.source
            for cell in shown
            if cell.cell_type == "markdown"
        )
        assert not (runs or asks) or len(shown) < len(slide), (
            "Add a cell of slide type notes that says what the presenter "
            "should do here:\n" + shown[0].source
        )


@on_every_session
def test_every_session_opens_and_closes_as_a_reader_expects(pair):
    texts = [
        cell.source
        for cell, _ in shown(read_ipynb(pair))
        if cell.cell_type == "markdown"
    ]
    assert texts[0].startswith("# "), "the first cell must contain the title"
    ends = "\n".join(texts[-4:])
    for heading in ("## What to remember", "## Next session", "## Exercises"):
        assert heading in ends


@on_every_pair
def test_the_files_are_valid_notebooks(pair):
    nbformat.validate(read_ipynb(pair))


@on_every_session
def test_every_prediction_is_answered_below_folded_away(pair):
    cells = shown(read_ipynb(pair))
    asked = [i for i, (c, _) in enumerate(cells) if "**Predict" in c.source]
    assert len(asked) >= 5, "Ask for at least five predictions."
    for start, end in zip(asked, [*asked[1:], None], strict=True):
        below = cells[start + 1 : end]
        answers = [kind for c, kind in below if c.source.startswith(ANSWER)]
        assert answers, (
            f"Add an answer below, in a cell that starts with {ANSWER}:\n"
            + cells[start][0].source
        )
    for cell, kind in cells:
        assert kind == "fragment" or "<details>" not in cell.source, (
            f"Folded text must be a fragment in the deck:\n{cell.source}"
        )


@on_every_session
def test_every_exercise_is_a_task_a_gap_and_a_check(pair):
    nb = read_ipynb(pair)
    numbers = exercises_of(nb)
    assert numbers in [list(range(1, count + 1)) for count in (3, 4, 5, 6)]
    for number in numbers:
        tags = [f"{part}-{number}" for part in ("task", "answer", "check")]
        start = next(
            i
            for i, c in enumerate(nb.cells)
            if tags[0] in c.metadata.get("tags", [])
        )
        task, answer, check = nb.cells[start : start + 3]
        assert [c.metadata.tags for c in (task, answer, check)] == [
            [tag] for tag in tags
        ], f"exercise {number}: its three cells must follow one another"
        assert task.source.startswith(f"### Exercise {number}: ")
        assert task.source.count(HINT) == 1, (
            f"The task must have exactly one folded hint:\n{task.source}"
        )
        assert re.search(r"\*\*(Expect|Predict)", task.source), (
            f"Say what to expect, or ask for a prediction:\n{task.source}"
        )
        assert "= None" in answer.source
        assert not re.search(r"\b(import|jax|jnp|optax)\b", check.source), (
            f"A check may only use plain Python and NumPy:\n{check.source}"
        )
        (output,) = check.outputs
        assert output.text == f"Exercise {number}: not attempted yet\n"


@on_every_session
def test_every_exercise_has_its_solution_and_three_mistakes(pair):
    solutions = read_ipynb(solutions_of(pair))
    sources = [cell.source for cell in solutions.cells]
    for number in exercises_of(read_ipynb(pair)):
        task = sources.index(f'Markdown(tagged["task-{number}"])')
        check = sources.index(f'exec(tagged["check-{number}"])')
        answers = [
            i
            for i, cell in enumerate(solutions.cells)
            if f"answer-{number}" in cell.metadata.get("tags", [])
        ]
        assert answers and task < min(answers) <= max(answers) < check
        checked = solutions.cells[check]
        assert "correct" in checked.outputs[0].text
        assert not IGNORED & set(checked.metadata.get("tags", [])), (
            f"exercise {number}: the check's output must not be ignored"
        )
        mistakes = [it for it in wrong_answers_to(pair) if it[0] == number]
        assert len(mistakes) >= 3, (
            f"exercise {number}: add at least three typical mistakes"
        )
