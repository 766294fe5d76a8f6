"""Test that each session's claims also hold with other seeds."""

import ast
import re
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
# Sources of randomness, and the call or argument that must seed each of them.
NEEDED = {
    "np.random.": "default_rng",
    "jax.random.": "key",
    "import bambi": "random_seed",
}
SESSIONS = [
    pair.absolute() for pair in all_pairs() if pair.parent == NOTEBOOKS
]
# The number of other seeds that `make test` tries for each session. The
# numbers are chosen so that no session takes longer than half a minute. Slower
# sessions are only tried if the option `--seeds` is given.
SEEDS = {1: 3, 2: 2, 5: 1}
# Session 4 needs two devices, and they must be set up before this process
# computes anything.
jax.config.update("jax_num_cpu_devices", 2)


class OtherSeeds(ast.NodeTransformer):
    """Shift all seeds that are written as numbers in the code.

    `moved` collects the names of the functions and arguments that take the
    seeds, and `unseeded` lists the calls that draw random numbers without a
    seed.
    """

    def __init__(self, shift):
        self.shift, self.moved, self.unseeded = shift, set(), []

    def move(self, node, name):
        """Add the shift to an integer literal; leave anything else unchanged."""
        if isinstance(node, ast.Constant) and type(node.value) is int:
            self.moved.add(name)
            node.value += self.shift
        return node

    def visit_Call(self, node):
        self.generic_visit(node)
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        called = ast.unparse(node.func)
        if name in SEEDED_CALLS and node.args:
            self.move(node.args[0], name)
        elif name in SEEDED_CALLS or called == f"np.random.{name}":
            self.unseeded.append(ast.unparse(node))
        for argument in node.keywords:
            if argument.arg in SEEDED_ARGUMENTS:
                self.move(argument.value, argument.arg)
        return node

    def visit_FunctionDef(self, node):
        """Shift the default values of arguments that are seeds."""
        self.generic_visit(node)
        some, all_of = node.args, [*node.args.posonlyargs, *node.args.args]
        given = all_of[len(all_of) - len(some.defaults) :]
        for argument, default in [
            *zip(given, some.defaults, strict=True),
            *zip(some.kwonlyargs, some.kw_defaults, strict=True),
        ]:
            if argument.arg in SEEDED_ARGUMENTS:
                self.move(default, argument.arg)
        return node

    def visit_loop(self, node):
        """Shift the seeds that a loop runs over, such as `range(3)`."""
        self.generic_visit(node)
        name, seeds = getattr(node.target, "id", ""), ast.unparse(node.iter)
        written = re.fullmatch(r"(range)?\([\d, ]+\)", seeds)
        if name in SEEDED_ARGUMENTS and written:
            moved = f"[it + {self.shift} for it in {seeds}]"
            node.iter = ast.parse(moved, mode="eval").body
            self.moved.add(name)
        return node

    visit_For = visit_comprehension = visit_loop


def code_of(pair):
    """Return the code of a session and its solutions as one program.

    The first cell of the solutions is left out, because it runs cells of the
    session.
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


def pytest_generate_tests(metafunc):
    if "seed" in metafunc.fixturenames:
        asked = metafunc.config.getoption("seeds")
        cases = [
            pytest.param(session, seed, id=f"{session.name}-{seed}")
            for number, session in enumerate(SESSIONS, 1)
            for seed in range(1, 1 + (asked or SEEDS.get(number, 0)))
        ]
        metafunc.parametrize(("session", "seed"), cases)


@pytest.fixture
def as_in_a_fresh_kernel(monkeypatch, session):
    """Give each test a fresh state, without figures or compiled code."""
    monkeypatch.chdir(NOTEBOOKS)
    matplotlib.use("agg")
    # PyTensor, which Bambi imports, turns on this option, but only when it is
    # imported for the first time. So we set the option as if each session ran
    # in a new process.
    jax.config.update("jax_enable_x64", "import bambi" in code_of(session))
    yield
    plt.close("all")
    matplotlib.rcdefaults()
    jax.clear_caches()


@pytest.mark.usefixtures("as_in_a_fresh_kernel")
@pytest.mark.filterwarnings("ignore:FigureCanvasAgg is non-interactive")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # from ArviZ
def test_every_claim_holds_with_other_seeds(session, seed):
    program = OtherSeeds(1000 * seed)
    code = code_of(session)
    tree = ast.fix_missing_locations(program.visit(ast.parse(code)))
    needed = {name for use, name in NEEDED.items() if use in code}
    assert program.moved and needed <= program.moved, (
        f"{session}: a seed is missing. Only {program.moved} were found. Set "
        "seeds for the data, the parameters and the sampler."
    )
    assert not program.unseeded, f"{session}: seed {program.unseeded}."
    said = StringIO()
    with redirect_stdout(said):
        exec(compile(tree, str(session), "exec"), {"__name__": "__main__"})
    for number in exercises_of(read_ipynb(session)):
        assert f"Exercise {number}: correct" in said.getvalue(), (
            "With another seed, a check says that the solution is wrong."
        )
