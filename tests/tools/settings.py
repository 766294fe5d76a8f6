"""Write our settings for RISE and JupyterLab, with the live decks' keys.

`make slides` and `make lab` write the settings into a separate folder. On
Binder and on a JupyterHub, `.binder/postBuild` runs this file to put them into
the environment that everybody uses there.
"""

import json
import shutil
import sys
from pathlib import Path

from sessions import NOTEBOOKS, main, write_safely

LIVE = Path(__file__).parent / "live"
EXTENSION = "deck-keys"  # its name in lab.js
# In classic Jupyter, it has another name. The server remembers the location of
# a file by the last part of its address, which would otherwise be the same for
# both.
CLASSIC = "classic-deck"
# Don't ask whether to show news. Don't let jupytext write the other half of a
# pair on each save, because that could overwrite an edit of that half.
LAB_WITHOUT = (
    "@jupyterlab/apputils-extension:announcements",
    "jupyterlab-jupytext",
)


def write_settings(config, data, autosave=True, lab_without=LAB_WITHOUT):
    """Write the settings that RISE and JupyterLab read.

    `config` and `data` are the folders in which they look for settings and for
    extensions. `autosave` says whether the deck saves automatically, and
    `lab_without` lists the extensions that JupyterLab leaves out.
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
        # This is set here and not in the notebook. There, it would also start
        # a deck in JupyterLab for somebody who only wants to read.
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
    """Put our settings into the environment of the Python that runs this."""
    prefix = Path(sys.prefix)
    config = prefix / "etc" / "jupyter"
    write_settings(config, prefix / "share" / "jupyter")
    off = {
        "ServerApp": {"jpserver_extensions": {"jupyterlab_jupytext": False}}
    }
    write_safely(config / "jupyter_server_config.json", json.dumps(off))


if __name__ == "__main__":
    main(tool)
