"""Write our settings for RISE and JupyterLab, with the live decks' keys.

`make slides` and `make lab` write the settings into a separate folder. On
Binder and on a JupyterHub, `.binder/postBuild` runs this file to write the
settings into the environment that all users share.
"""

import json
import shutil
import sys
from pathlib import Path

from sessions import NOTEBOOKS, main, write_safely

LIVE = Path(__file__).parent / "live"
EXTENSION = "deck-keys"  # its name in lab.js
# The extension has another name in classic Jupyter. The server remembers the
# location of a file by the last part of its address, which would otherwise be
# the same for both extensions.
CLASSIC = "classic-deck"
# Don't ask whether to show news. Don't let jupytext write both the .md and the
# .ipynb on each save, because this could overwrite an edit in the other file.
LAB_WITHOUT = (
    "@jupyterlab/apputils-extension:announcements",
    "jupyterlab-jupytext",
)


def write_settings(config, data, autosave=True, lab_without=LAB_WITHOUT):
    """Write the settings that RISE and JupyterLab read.

    RISE and JupyterLab look for settings in the folder `config` and for
    extensions in the folder `data`. `autosave` says whether the deck saves
    automatically, and `lab_without` lists the extensions to disable in
    JupyterLab.
    """
    keys, deck, lab = (
        (LIVE / f"{name}.js").read_text(encoding="utf-8")
        for name in ("keys", "deck", "lab")
    )
    package = {
        "name": EXTENSION,
        "version": "0",
        "jupyterlab": {
            "_build": {"load": "keys.js", "extension": "./extension"}
        },
    }
    settings = {
        config / "nbconfig/notebook.json": {
            # deck.js starts RISE; see the comment there.
            "load_extensions": {"rise/main": False, f"{CLASSIC}/main": True},
            "deck_autosaves": autosave,
        },
        # If this option were set in the notebook, JupyterLab would also start
        # a deck for somebody who only wants to read.
        config / "nbconfig/rise.json": {"autolaunch": True},
        config / "labconfig/page_config.json": {
            "buildCheck": False,
            "disabledExtensions": dict.fromkeys(lab_without, True),
        },
        data / "labextensions" / EXTENSION / "package.json": package,
    }
    for path, content in settings.items():
        write_safely(path, json.dumps(content))
    for path, code in (
        (data / "labextensions" / EXTENSION / "keys.js", keys + lab),
        (data / "nbextensions" / CLASSIC / "main.js", keys + deck),
    ):
        write_safely(path, code)
        shutil.copytree(
            NOTEBOOKS / "fonts", path.with_name("fonts"), dirs_exist_ok=True
        )


def tool():
    """Write our settings into the environment of the current Python."""
    prefix = Path(sys.prefix)
    config = prefix / "etc" / "jupyter"
    write_settings(config, prefix / "share" / "jupyter")
    off = {
        "ServerApp": {"jpserver_extensions": {"jupyterlab_jupytext": False}}
    }
    write_safely(config / "jupyter_server_config.json", json.dumps(off))


if __name__ == "__main__":
    main(tool)
