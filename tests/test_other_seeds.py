"""What a session claims holds for other seeds than the one that it shows."""

import ast
from contextlib import redirect_stdout
from io import StringIO

import jax
import matplotlib
import matplotlib.pyplot as plt
import pytest
from exercises import exercises_of, solutions_of
from sessions import NOTEBOOKS, all_pairs, read_ipynb

SEEDED_CALLS = {"default_rng", "key", "PRNGKey", "Rngs"}
SEEDED_ARGUMENTS = {"random_seed", "random_state", "seed"}
SESSIONS = [
    pair.absolute() for pair in all_pairs() if pair.parent == NOTEBOOKS
]


class OtherSeeds(ast.NodeTransformer):
    """Move every seed that is written into the code, and count them by name."""

    def __init__(self, shift):
        self.shift, self.moved = shift, set()

    def move(self, node, name):
        """Add the shift to a literal integer; leave anything else."""
        if isinstance(node, ast.Constant) and type(node.value) is int:
            self.moved.add(name)
            node.value += self.shift
        return node

    def visit_Call(self, node):
        self.generic_visit(node)
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if name in SEEDED_CALLS and node.args:
            self.move(node.args[0], name)
        for argument in node.keywords:
            if argument.arg in SEEDED_ARGUMENTS:
                self.move(argument.value, argument.arg)
        return node


def code_of(pair):
    """Return the code of a session, and then of its solutions, as one program.

    The solutions' first cell, which runs cells of the session, is left out.
    """
    nb, solutions = read_ipynb(pair), read_ipynb(solutions_of(pair))
    tagged = {
        tag: cell.source
        for cell in nb.cells
        for tag in cell.metadata.get("tags", [])
    }
    session, (_, *rest) = (
        [cell.source for cell in it.cells if cell.cell_type == "code"]
        for it in (nb, solutions)
    )
    between = f"from IPython.display import Markdown\ntagged = {tagged!r}"
    return "\n".join([*session, between, *rest])


@pytest.fixture(scope="module", autouse=True)
def compiled_once(tmp_path_factory):
    """Let JAX keep on disk what it compiles: all seeds run the same programs."""
    folder = tmp_path_factory.mktemp("compiled")
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)


@pytest.fixture
def as_in_a_fresh_kernel(monkeypatch):
    """Stand where a kernel starts: in notebooks/, with nothing drawn or compiled."""
    monkeypatch.chdir(NOTEBOOKS)
    matplotlib.use("agg")
    # PyTensor switches this on where it is first imported, so in the first
    # session only; each session must find what its own imports would leave.
    jax.config.update("jax_enable_x64", True)
    yield
    plt.close("all")
    matplotlib.rcdefaults()
    jax.clear_caches()


@pytest.mark.parametrize("session", SESSIONS, ids=lambda pair: pair.name)
@pytest.mark.usefixtures("as_in_a_fresh_kernel")
@pytest.mark.filterwarnings("ignore:FigureCanvasAgg is non-interactive")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # ArviZ's
def test_every_claim_holds_with_other_seeds(session, seed):
    program = OtherSeeds(1000 * seed)
    tree = ast.fix_missing_locations(
        program.visit(ast.parse(code_of(session)))
    )
    assert {"default_rng", "key", "random_seed"} <= program.moved, (
        f"{session}: a seed is missing, only {program.moved} were found: seed the "
        "data, the parameters and the sampler."
    )
    said = StringIO()
    with redirect_stdout(said):
        exec(compile(tree, str(session), "exec"), {"__name__": "__main__"})
    for number in exercises_of(read_ipynb(session)):
        assert f"Exercise {number}: correct" in said.getvalue(), (
            "A check calls the solution wrong with another seed."
        )
