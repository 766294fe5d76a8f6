"""Run the Jupyter server for `make slides` and `make lab`.

The server is JupyterLab's own server with two changes. Opening a notebook does
not change its file, and all notebooks run in our kernel, even if a notebook or
a user asks for another kernel.
"""

import contextlib
import json
import os
import sys
from pathlib import Path
from urllib.parse import quote

import nbformat
from jupyter_client.kernelspec import NATIVE_KERNEL_NAME, KernelSpecManager
from jupyter_core.paths import jupyter_data_dir
from jupyter_server.services.contents.filecheckpoints import (
    AsyncFileCheckpoints,
)
from jupyter_server.services.contents.largefilemanager import (
    AsyncLargeFileManager,
)
from jupyterlab.labapp import LabApp

sys.path.insert(0, str(Path(__file__).parents[1]))
from sessions import KERNELSPEC, ONLY_IN_IPYNB, all_pairs, cleaned

# jupytext's extension is off, because it writes both the .md and the .ipynb on
# each save and would overwrite an edit in the other file. `make sync` notices
# such an edit.
EXTENSIONS = {
    "jupyterlab_jupytext": False,
    "jupyterlab_rise": True,
    "nbclassic": True,
    "notebook_shim": True,  # this reads nbclassic's settings
}
# The metadata that kernels, editors and our own tools write into a notebook.
FROM_DISK = ("kernelspec", *ONLY_IN_IPYNB)


def said(nb):
    """Return a notebook's content as text, so that it can be compared.

    Cell ids and everything that editors and machines add are left out. If a
    cell's printed text was stored in several pieces, they are joined.
    """
    nb = cleaned(nb)
    for name in ONLY_IN_IPYNB:
        nb.metadata.pop(name, None)
    for number, cell in enumerate(nb.cells):
        cell.id = str(number)
        if cell.cell_type == "code":
            cell.outputs = joined(cell.outputs)
    return nbformat.writes(nb, version=nbformat.NO_CONVERT)


def joined(outputs):
    """Return a cell's outputs, after joining consecutive printed texts."""
    parts = []
    for output in outputs:
        if (
            parts
            and output.output_type == "stream"
            and output.name == parts[-1].get("name")
        ):
            parts[-1].text += output.text
        else:
            parts.append(output)
    return parts


def saved(nb, before, is_ours):
    """Return the notebook that should be written after an edit.

    `nb` is the notebook that the editor sent, and `before` is the notebook on
    the disk. `is_ours` says whether the notebook belongs to the project. If it
    does, we drop everything that editors add. The metadata in FROM_DISK stay
    as they are on the disk.
    """
    nb = cleaned(nb) if is_ours else nb
    for name in FROM_DISK:
        nb.metadata.pop(name, None)
        if name in before.metadata:
            nb.metadata[name] = before.metadata[name]
    return nb


class Checkpoints(AsyncFileCheckpoints):
    """Checkpoints that are stored in the server's own folder.

    By default, they would be stored next to the notebooks.
    """

    def checkpoint_path(self, checkpoint_id, path):
        """Return the path of a file's checkpoint."""
        folder = Path(jupyter_data_dir()) / "checkpoints"
        folder.mkdir(exist_ok=True)
        return str(folder / f"{checkpoint_id}-{quote(path.strip('/'), '')}")


class Contents(AsyncLargeFileManager):
    """A contents manager that does not save notebooks without edits.

    Editors change a notebook as soon as it is open, for instance when the
    kernel reports its Python version, and then save it automatically.
    """

    checkpoints_class = Checkpoints

    def is_ours(self, path, prefix=""):
        """Return whether a file is one of the project's notebooks.

        If `prefix` is "my_", a reader's own copy counts as well.
        """
        file = Path(self._get_os_path(path)).relative_to(self.root_dir)
        pair = file.with_name(file.stem.removeprefix(prefix))
        return file.suffix == ".ipynb" and pair in all_pairs()

    def mark_trusted_cells(self, nb, path=""):
        """Trust our notebooks and copies of them, so that drawings appear."""
        if self.is_ours(path, "my_"):
            self.notary.mark_cells(nb, True)
        else:
            super().mark_trusted_cells(nb, path)

    async def get(self, path, *args, **settings):
        """Return a file; if it is a notebook, put our kernel into it."""
        model = await super().get(path, *args, **settings)
        if model["type"] == "notebook" and model["content"]:
            model["content"].metadata.kernelspec = KERNELSPEC
        return model

    async def save(self, model, path=""):
        """Save a file, unless it is a notebook with unchanged content."""
        file = Path(self._get_os_path(path))
        if model.get("type") == "notebook" and file.exists():
            # A request may contain texts as lists of lines, as notebook files
            # do.
            nb = nbformat.reads(json.dumps(model["content"]), as_version=4)
            before = None
            # If the file is damaged, it is replaced by what the editor sends.
            with contextlib.suppress(Exception):
                before = nbformat.read(file, as_version=4)
            if before and said(nb) == said(before):
                return await self.get(path, content=False)
            if before:
                model["content"] = saved(nb, before, self.is_ours(path))
        return await super().save(model, path)


class OurKernel(KernelSpecManager):
    """A kernel manager that returns our kernel for every name."""

    def get_kernel_spec(self, kernel_name):
        """Return our kernel."""
        return super().get_kernel_spec(NATIVE_KERNEL_NAME)


if __name__ == "__main__":
    LabApp.serverapp_config |= {
        "allow_root": True,  # as in a container
        "contents_manager_class": Contents,
        "ip": "127.0.0.1",  # only this machine
        "jpserver_extensions": EXTENSIONS,
        "kernel_spec_manager_class": OurKernel,
        "open_browser": False,
        "port_retries": 0,
        "root_dir": os.getcwd(),
        # In a terminal, the user's shell settings would be missing.
        "terminals_enabled": False,
    }
    LabApp.launch_instance()
    # Exit without waiting for other threads, because a thread that was reading
    # a file when the server stopped would wait forever for the next file.
    sys.stdout.flush()
    os._exit(0)
