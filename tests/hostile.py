"""Create a home folder and an environment full of hostile settings.

If our commands used any of these settings, they would behave differently or
write different files.
"""

import json
import os
from pathlib import Path

from sessions import write_safely

# A line of Python that leaves a trace if it is ever run.
MARK = "import builtins; builtins.theirs = 1\n"
BROKEN_KERNEL = {"argv": ["false"], "display_name": "theirs", "language": "R"}
HOOK = "#!/bin/sh\nexit 1\n"
FILES = {
    ".bashrc": "set -o noclobber\n",
    ".config/arviz/arvizrc": "stats.ci_prob : 0.5\n",
    ".config/git/config": "[core]\n    autocrlf = true\n",
    ".config/git/ignore": "*\n",
    ".config/ipython/profile_default/startup/theirs.py": MARK,
    ".config/jupytext/jupytext.toml": 'formats = "ipynb,py:percent"\n',
    ".config/matplotlib/matplotlibrc": "lines.linewidth: 9\nbackend: agg\n",
    ".config/pip/pip.conf": "[global]\nuser = true\ntarget = /nowhere\n",
    ".config/ruff/ruff.toml": 'line-length = 20\nexclude = ["*.py"]\n',
    ".config/uv/uv.toml": 'exclude-newer = "2020-01-01"\n'
    "no-binary = true\nrequired-version = '==0.0.1'\n"
    '[pip]\ntarget = "/nowhere"\n',
    ".docutils": "[general]\nhalt_level: 1\nraw_enabled: no\n",
    ".gitconfig": "[core]\n    hooksPath = {home}/hooks\n    autocrlf = true\n"
    "    excludesFile = {home}/.config/git/ignore\n"
    "[init]\n    templateDir = {home}/template\n"
    "[commit]\n    gpgsign = true\n",
    ".ipython/profile_default/ipython_config.py": "c.InteractiveShellApp."
    "exec_lines = ['import builtins; builtins.theirs = 1']\n",
    ".ipython/profile_default/startup/theirs.py": MARK,
    ".jupyter/custom/custom.css": "body { display: none }\n",
    ".jupyter/custom/custom.js": "document.body.remove()\n",
    ".jupyter/jupyter_config.py": "c.ServerApp.base_url = '/theirs/'\n",
    ".jupyter/jupyter_nbconvert_config.py": "c.Exporter.exclude_input = True\n"
    "c.TemplateExporter.exclude_output = True\n",
    ".jupyter/jupyter_server_config.py": "c.ServerApp.base_url = '/theirs/'\n"
    "c.ServerApp.password = 'theirs'\n"
    "c.ServerApp.contents_manager_class = 'nowhere.Contents'\n",
    ".jupyter/nbconfig/notebook.json": '{"load_extensions": {"gone": true}}',
    ".local/share/jupyter/kernels/python3/kernel.json": json.dumps(
        BROKEN_KERNEL
    ),
    ".npmrc": "dry-run=true\nglobal=true\nprefix={home}/npm\noffline=true\n"
    "package-lock=false\n",
    ".pip/pip.conf": "[install]\nuser = true\n",
    ".pytensorrc": "[global]\nfloatX = float32\n",
    ".arviz/arvizrc": "stats.ci_prob : 0.5\n",
    "hooks/pre-commit": HOOK,
    "template/hooks/pre-commit": HOOK,
    "python/sitecustomize.py": MARK,
    "python/usercustomize.py": MARK,
    "python/nbformat.py": "raise ImportError('theirs')\n",
    "startup.py": MARK,
    # These files are also written into the folder above the project.
    ".codespellrc": "[codespell]\nignore-regex = .*\n",
    "matplotlibrc": "lines.linewidth: 9\n",
    "pytest.ini": "[pytest]\naddopts = --collect-only\n",
    "ruff.toml": "line-length = 20\n",
    "setup.cfg": "[codespell]\nskip = *\n[tool:pytest]\naddopts = -x\n",
}
ABOVE = (
    ".codespellrc",
    "matplotlibrc",
    "pytest.ini",
    "ruff.toml",
    "setup.cfg",
)
VARIABLES = {
    "ARVIZ_DATA": "{home}/.arviz",
    "BASH_ENV": "{home}/.bashrc",
    "CDPATH": "{home}:/",
    "COLUMNS": "20",
    "ENV": "{home}/.bashrc",
    "FORCE_COLOR": "1",
    "GIT_AUTHOR_DATE": "never",
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "core.bare",
    "GIT_CONFIG_VALUE_0": "true",
    "GIT_DIR": "{home}/nowhere.git",
    "GIT_INDEX_FILE": "{home}/index",
    "GIT_WORK_TREE": "{home}",
    "GREP_COLOR": "1;31",
    "GREP_OPTIONS": "--invert-match",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "IFS": "e",
    "INPUTRC": "{home}/.bashrc",
    "IPYTHONDIR": "{home}/.ipython",
    "JAX_DEBUG_NANS": "1",
    "JAX_ENABLE_X64": "1",
    "JAX_PLATFORMS": "cuda",
    "JUPYTER_CONFIG_DIR": "{home}/.jupyter",
    "JUPYTER_CONFIG_PATH": "{home}/.jupyter",
    "JUPYTER_DATA_DIR": "{home}/.local/share/jupyter",
    "JUPYTER_NO_CONFIG": "1",
    "JUPYTER_PATH": "{home}/.local/share/jupyter",
    "JUPYTER_TOKEN": "theirs",
    "KEEP": "ipynb",
    "LANG": "de_DE.UTF-8",
    "LC_ALL": "C",
    "LINES": "5",
    "MAKEFLAGS": "-k",
    "MPLBACKEND": "Agg",
    "MPLCONFIGDIR": "{home}/.config/matplotlib",
    "NODE_OPTIONS": "--no-such-option",
    "NO_COLOR": "1",
    "NUMBA_DISABLE_JIT": "1",
    "PIP_REQUIRE_VIRTUALENV": "1",
    "PIP_TARGET": "{home}/pip",
    "PIP_USER": "1",
    "PORT": "80",
    "POSIXLY_CORRECT": "1",
    "PYENV_VERSION": "2.7",
    "PYTENSOR_FLAGS": "floatX=float32",
    "PYTEST_ADDOPTS": "--collect-only",
    "PYTEST_PLUGINS": "nowhere",
    "PYTHON": "/nowhere",
    "PYTHONBREAKPOINT": "nowhere",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "7",
    "PYTHONHOME": "{home}",
    "PYTHONINSPECT": "1",
    "PYTHONOPTIMIZE": "2",
    "PYTHONPATH": "{home}/python",
    "PYTHONSAFEPATH": "1",
    "PYTHONSTARTUP": "{home}/startup.py",
    "PYTHONWARNINGS": "error",
    "RUFF_CONFIG": "{home}/ruff.toml",
    "RUFF_OUTPUT_FORMAT": "json",
    "SESSION": "9",
    "SHELLOPTS": "noclobber",
    "TZ": "Asia/Kathmandu",
    "UV_CONFIG_FILE": "{home}/.config/uv/uv.toml",
    "UV_CONSTRAINT": "{home}/nowhere.txt",
    "UV_EXCLUDE_NEWER": "2020-01-01",
    "UV_FROZEN": "1",
    "UV_NO_SYNC": "1",
    "UV_OVERRIDE": "{home}/nowhere.txt",
    "UV_PROJECT": "{home}",
    "UV_PROJECT_ENVIRONMENT": "{home}/environment",
    "UV_PYTHON": "2.7",
    "UV_PYTHON_DOWNLOADS": "never",
    "UV_SYSTEM_PYTHON": "1",
    "VIRTUAL_ENV": "{home}/environment",
    "XDG_CONFIG_HOME": "{home}/.config",
    "XDG_CONFIG_DIRS": "{home}/.config",
    "XDG_DATA_DIRS": "{home}/.local/share",
    "XLA_FLAGS": "--xla_no_such_flag=1",
    "npm_config_dry_run": "true",
    "npm_config_global": "true",
    "npm_config_ignore_scripts": "false",
    "npm_config_prefix": "{home}/npm",
}


def write_home(home):
    """Write FILES into a home folder, and some of them into its parent."""
    for name, text in FILES.items():
        text = text.replace("{home}", str(home))
        write_safely(home / name, text)
        if name.startswith(("hooks/", "template/")):
            (home / name).chmod(0o755)
        if name in ABOVE:
            write_safely(home.parent / name, text)


def plain_environment(home):
    """Return the environment of a user who has configured nothing."""
    # Share the caches, because searching for fonts would otherwise take
    # minutes.
    caches = os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache"))
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "XDG_CACHE_HOME": caches,
    }


def environment(home):
    """Return the environment of a user who has set all of VARIABLES."""
    theirs = {k: v.replace("{home}", str(home)) for k, v in VARIABLES.items()}
    return plain_environment(home) | theirs


def files_in(folder, without=()):
    """Return a dict from the names of a folder's files to their contents.

    Caches are left out, and so are the files and folders whose names are in
    `without`.
    """
    skipped = {"__pycache__", ".cache", *without}
    found = {}
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in skipped]
        for name in set(names) - skipped:
            path = Path(parent, name)
            found[str(path.relative_to(folder))] = path.read_bytes()
    return found
