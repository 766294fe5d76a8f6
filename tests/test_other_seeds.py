"""What a session claims holds for other seeds than the one that it shows."""

import ast

import jax
import matplotlib
import matplotlib.pyplot as plt
import pytest
from exercises import solved
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
    """Return a session's code cells as one program."""
    cells = read_ipynb(pair).cells
    return "\n".join(cell.source for cell in cells if cell.cell_type == "code")


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
    names = {"__name__": "__main__"}
    exec(compile(tree, str(session), "exec"), names)
    for _, proof in solved(read_ipynb(session), session):
        exec(proof, dict(names))
