"""Run sessions with Colab's libraries, as a reader on Colab would.

usage: .venv/bin/python tests/bench/colab.py

We install Colab's versions of the packages into an environment in which
`google.colab` can be imported, and serve the project as a git repository on
this machine. Then, in an empty folder, we run the notebooks that the site
offers for Colab. These are Sessions 1 and 2, and the first part of Session 4.
The first cell of each notebook has to fetch all the other files it needs. The
whole test takes a quarter of an hour on two cores and downloads a gigabyte.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat

sys.path.extend(
    str(Path(__file__).parents[2] / it) for it in (".", "tests/tools")
)
from env import find_uv
from pages import write_download
from sessions import NOTEBOOKS, Problem, find_session, main, parts_of

from tests.own_git import git

PYTHON = "3.13"
# The versions that `pip freeze` shows on Colab for the packages that our
# sessions use (August 2026; github.com/googlecolab/backend-info has a new list
# every week).
VERSIONS = """
    arviz==0.22.0 cloudpickle==3.1.2 flax==0.11.2 ipykernel==6.17.1
    ipython==7.34.0 ipywidgets==7.7.1 jax==0.7.2 jupyter-client==7.4.9
    matplotlib==3.10.0 ml-dtypes==0.5.4 nbclient==0.10.4 nbformat==5.10.4
    numba==0.61.2 numpy==2.1.3 optax==0.2.8 orbax-checkpoint==0.12.0
    pandas==2.2.3 pip==24.1.2 protobuf==5.29.6 pymc==5.28.5 pytensor==2.38.3
    safetensors==0.7.0 scikit-learn==1.6.1 scipy==1.16.3 seaborn==0.13.2
    setuptools==75.2.0 statsmodels==0.14.6 tensorstore==0.1.84
    tokenizers==0.22.2 tornado==6.5.1 traitlets==5.7.1
    typing-extensions==4.15.0 xarray==2025.12.0 xarray-einstats==0.10.0
"""


def make_environment(folder):
    """Create an environment like Colab's, and return its bin folder."""
    uv = find_uv()
    python = folder / "bin" / "python"
    for words in (
        ["venv", "--quiet", "--python", PYTHON, folder],
        ["pip", "install", "--quiet", "--python", python, *VERSIONS.split()],
    ):
        subprocess.run([uv, *words], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    fake = packages / "google" / "colab"
    fake.mkdir(parents=True, exist_ok=True)
    # JAX imports `google.colab.output`.
    text = "from unittest.mock import MagicMock\n\noutput = MagicMock()\n"
    (fake / "__init__.py").write_text(text)
    # On Colab, every kernel imports `google.colab` before the first cell runs.
    (packages / "colab.pth").write_text("import google.colab\n")
    return python.parent


def serve(folder):
    """Put the notebooks into a git repository, and return its address."""
    shutil.copytree(
        NOTEBOOKS,
        folder / NOTEBOOKS,
        ignore=shutil.ignore_patterns("my_*", ".*", "gpt2"),
    )
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "start")
    return folder.as_uri()


def tool():
    """Run the sessions as Colab would, and report which of them fail."""
    failed = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        programs = make_environment(folder / "environment")
        place = {"address": serve(folder / "repository"), "site": ""}
        theirs = {
            **os.environ,
            "HOME": str(folder),
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "COLAB_RELEASE_TAG": "release-colab",
        }
        for number in ("1", "2", "4"):
            pair = find_session(number)
            path = folder / "content" / f"{pair.name}.ipynb"
            write_download(pair, path, place)
            nb = nbformat.read(path, as_version=4)
            nb.cells = parts_of(nb.cells)[0]
            nbformat.write(nb, path)
            began = time.perf_counter()
            done = subprocess.run(
                [programs / "jupyter-execute", "--timeout=900", path.name],
                cwd=path.parent,
                env=theirs,
            )
            seconds = time.perf_counter() - began
            word = "fails" if done.returncode else "runs"
            print(
                f"{pair.name} {word} with these libraries ({seconds:.0f} s)."
            )
            failed += [pair.name] if done.returncode else []
    if failed:
        raise Problem(
            "These sessions fail on Colab; the lines above say why: "
            f"{', '.join(failed)}."
        )


if __name__ == "__main__":
    main(tool)
