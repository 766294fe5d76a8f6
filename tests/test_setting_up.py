"""Test that our commands work on every machine or say what to do.

A user's own settings must stay unchanged, and they must not affect the
results.
"""

import ast
import contextlib
import errno
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import urllib.request
import zipfile
from pathlib import Path

import clean
import decks
import example
import hostile
import jupytext
import mirror
import pypdfium2
import pytest
from own_git import git
from sessions import all_pairs, main, write_safely
from why import why

ROOT = Path.cwd()
ENV_SH = "tests/tools/env.sh"
ENV_PY = "tests/tools/env.py"  # does the same on Windows
# root can write anywhere unless it gives up these capabilities.
ANYBODY = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]


def run(command, folder, env):
    """Run a command in a folder; return its exit status and its output."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=100,
    )
    return done.returncode, done.stdout + done.stderr


def one_sentence(said):
    """Assert that a message is a single sentence for users, then return it.

    Progress lines, which end with "...", may come before the sentence.
    """
    lines = [it for it in said.splitlines() if not it.startswith("make: ***")]
    assert "Traceback" not in said, said
    assert lines, "The command failed without a message."
    before = {it for it in lines[:-1] if not it.endswith(" ...")}
    assert not before, said
    return lines[-1]


@pytest.fixture(scope="module")
def uv():
    """Return the path of the uv that created this environment."""
    found = shutil.which("uv") or ROOT / ".uv" / "bin" / "uv"
    assert Path(found).exists(), "Run `make env` first."
    return Path(found).resolve()


@pytest.fixture(scope="module")
def anybody():
    """Return a command prefix that removes root's special write access."""
    if os.geteuid():
        return []
    if not shutil.which(ANYBODY[0]):
        pytest.skip("needs setpriv, because root can write everywhere")
    return ANYBODY


@contextlib.contextmanager
def read_only(folder):
    """Make a folder read-only inside a `with` block."""
    modes = {it: it.lstat().st_mode for it in (folder, *folder.rglob("*"))}
    modes = {it: mode for it, mode in modes.items() if not it.is_symlink()}
    for path, mode in modes.items():
        path.chmod(mode & 0o555)
    yield
    for path, mode in modes.items():
        path.chmod(mode)


# The next tests create the environment of a small project, whose only package
# comes from a mirror.


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Serve a mirror with one package; yield its folder and its address."""
    folder = tmp_path_factory.mktemp("site")
    mirror.write_site(folder)
    with mirror.serving(folder) as address:
        yield folder, address


@pytest.fixture(scope="module")
def small(tmp_path_factory, uv, site):
    """Return a small project without an environment, for tests to copy."""
    folder = tmp_path_factory.mktemp("small") / "project"
    mirror.write_project(folder, uv, f"{site[1]}/simple")
    return folder


@pytest.fixture
def bare(tmp_path, small, uv, monkeypatch):
    """Work in a copy of the small project, with few programs on the PATH."""
    shutil.copytree(small, tmp_path / "project")
    (tmp_path / "home").mkdir()
    python = Path(sys.base_prefix, "bin", "python3")
    name = "python{}.{}".format(*sys.version_info)
    mirror.write_programs(tmp_path / "all", uv=uv, **{name: python})
    mirror.write_programs(tmp_path / "no python", uv=uv)
    mirror.write_programs(tmp_path / "no uv", python3=python)
    mirror.write_programs(tmp_path / "nothing")
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path


def make_env(
    bare, programs="all", before=(), folder="project", by="sh", **settings
):
    """Run `make env` with few programs; return its status and output.

    `by` is "sh" or the path of a Python script.
    """
    env = {
        "HOME": str(bare / "home"),
        "PATH": str(bare / programs),
        "UV_HTTP_RETRIES": "0",
        "PIP_RETRIES": "0",
        "NO_PROXY": "127.0.0.1",
        **{name: str(value) for name, value in settings.items()},
    }
    program = [shutil.which(before[0]), *before[1:]] if before else []
    maker = [shutil.which("sh"), ENV_SH]
    if by != "sh":
        maker = [Path(sys.base_prefix, "bin", "python3"), "-I", *by.split()]
    return run([*program, *maker], bare / folder, env)


def runs(bare, folder="project"):
    """Return whether the program in the environment runs."""
    status, said = run(
        [bare / folder / ".venv/bin/tiny"], bare, {"PATH": os.environ["PATH"]}
    )
    return (status, said) == (0, "tiny runs\n")


MIRROR_FILES = {
    ".config/uv/uv.toml": '[[index]]\nname = "ours"\nurl = "{mirror}"\n'
    "default = true\n",
    "uv.toml": 'no-binary = true\nindex-url = "{mirror}"\n'
    'exclude-newer = "2020-01-01"\n[pip]\ntarget = "/nowhere"\n',
    ".config/pip/pip.conf": "[global]\nindex-url = {mirror}\nuser = true\n",
    ".pip/pip.conf": "[global]\nindex-url={mirror}\n",
}


@pytest.mark.parametrize("by", ["sh", ENV_PY])
@pytest.mark.parametrize("file", MIRROR_FILES)
def test_a_mirror_that_a_person_has_set_up_is_used(bare, site, file, by):
    text = MIRROR_FILES[file].replace("{mirror}", f"{site[1]}/simple")
    path = bare / "home" / file
    write_safely(path, text)
    more = {"UV_CONFIG_FILE": path} if file == "uv.toml" else {}
    status, said = make_env(bare, by=by, HTTPS_PROXY=mirror.NOWHERE, **more)
    assert status == 0, said
    assert runs(bare)
    # Everything is installed now, so the command downloads and prints nothing.
    nowhere = {"UV_DEFAULT_INDEX": mirror.NOWHERE}
    assert make_env(bare, by=by, **nowhere) == (0, "")


@pytest.mark.parametrize("name", ["UV_INDEX", "PIP_INDEX_URL"])
def test_a_mirror_is_used_where_there_is_no_sh(bare, site, name):
    settings = {name: f"{site[1]}/simple", "HTTPS_PROXY": mirror.NOWHERE}
    status, said = make_env(bare, by=ENV_PY, **settings)
    assert status == 0, said
    assert runs(bare)
    assert make_env(bare, by=ENV_PY, UV_OFFLINE=1) == (0, "")


@pytest.mark.parametrize("by", ["sh", ENV_PY])
def test_a_python_that_is_new_enough_will_do(bare, site, by):
    another = f"3.{sys.version_info.minor + 1}"
    Path(".python-version").write_text(another, encoding="utf-8")
    settings = {"UV_DEFAULT_INDEX": f"{site[1]}/simple", "by": by}
    status, said = make_env(bare, HTTPS_PROXY=mirror.NOWHERE, **settings)
    assert status == 0, said
    assert runs(bare)
    assert make_env(bare, UV_OFFLINE=1, by=by) == (0, "")


def test_without_make_the_environment_is_the_same(bare, site):
    mirrors = {"UV_DEFAULT_INDEX": f"{site[1]}/simple"}
    status, said = make_env(bare, by="tests/tools/do.py env", **mirrors)
    assert status == 0, said
    assert runs(bare)
    assert make_env(bare, UV_OFFLINE=1) == (0, "")


@pytest.mark.parametrize("by", ["sh", ENV_PY])
def test_what_a_person_has_set_for_uv_pip_and_the_shell_changes_nothing(
    bare, site, by
):
    home = bare / "home"
    hostile.write_home(home)
    toml = home / ".config/uv/uv.toml"
    toml.write_text(f"index-url = '{site[1]}/simple'\n{toml.read_text()}")
    before = hostile.files_in(home)
    theirs = hostile.environment(home)
    theirs = {k: theirs[k] for k in hostile.VARIABLES}
    status, said = make_env(bare, by=by, **theirs)
    assert status == 0, said
    assert said.splitlines() == [
        "Setting up the environment in .venv (only once; this takes a few "
        "minutes) ..."
    ]
    assert runs(bare)
    assert make_env(bare, by=by, **theirs) == (0, "")
    assert hostile.files_in(home) == before


def test_the_functions_of_a_persons_shell_change_nothing(bare, site):
    bash = shutil.which("bash")
    if not bash:
        pytest.skip("There is no bash.")
    for name in ("all", "no python"):
        (bare / name / "sh").unlink()
        (bare / name / "sh").symlink_to(bash)
    functions = {
        f"BASH_FUNC_{name}%%": "() { exit 1; }"
        for name in ("grep", "sed", "printf", "mkdir", "tail", "cat")
    }
    status, said = make_env(
        bare,
        UV_DEFAULT_INDEX=f"{site[1]}/simple",
        SHELLOPTS="noclobber:errexit:pipefail",
        **functions,
    )
    assert status == 0, said


def test_an_environment_works_after_its_folder_was_moved(bare, site):
    assert make_env(bare, UV_DEFAULT_INDEX=f"{site[1]}/simple")[0] == 0
    Path.cwd().rename(bare / "another name")
    assert make_env(bare, folder="another name", UV_OFFLINE=1) == (0, "")
    assert runs(bare, "another name")


def test_what_a_gpu_needs_stays_where_it_was_added(bare, site):
    there = {"UV_DEFAULT_INDEX": f"{site[1]}/simple"}
    assert make_env(bare, **there)[0] == 0
    (packages,) = Path(".venv/lib").glob("python3*/site-packages")
    added, whole = (
        packages / name
        for name in ("jax_cuda13_plugin", "jax_cuda13_plugin-1.0.dist-info")
    )
    assert not added.exists()  # it is only installed on request
    # This is the state after an incomplete `uv sync --extra cuda`.
    added.mkdir()
    assert make_env(bare, **there) == (0, "")
    assert whole.is_dir()
    assert make_env(bare, UV_DEFAULT_INDEX=mirror.NOWHERE) == (0, "")
    assert whole.is_dir() and runs(bare)


def test_an_environment_whose_python_is_gone_is_made_anew(bare, site):
    settings = {"UV_DEFAULT_INDEX": f"{site[1]}/simple"}
    assert make_env(bare, **settings)[0] == 0
    Path(".venv/bin/python").unlink()
    Path(".venv/bin/python").symlink_to("/nowhere/python")
    status, said = make_env(bare, **settings)
    assert status == 0, said
    assert runs(bare)


def test_an_environment_that_is_made_works_where_nothing_can_be_written(
    bare, site, anybody
):
    assert make_env(bare, UV_DEFAULT_INDEX=f"{site[1]}/simple")[0] == 0
    with read_only(bare):
        assert make_env(bare, before=anybody) == (0, "")
        for home in ("", "/nowhere"):
            assert make_env(bare, before=anybody, HOME=home) == (0, "")
    assert not Path("/nowhere").exists()


def test_the_environment_is_made_without_a_home_or_a_temporary_folder(
    bare, site
):
    status, said = make_env(
        bare,
        UV_DEFAULT_INDEX=f"{site[1]}/simple",
        HOME="/nowhere",
        TMPDIR="/nowhere",
        XDG_CACHE_HOME="/proc/nowhere",
    )
    assert status == 0, said
    assert runs(bare)


# Each cause of a failure: the settings for `make_env`, and a pattern for the
# message that they must lead to.
CAUSES = {
    "nothing answers": (
        {"UV_DEFAULT_INDEX": f"{mirror.NOWHERE}/simple"},
        r"^http://127.0.0.1:9 could not be reached: check the network",
    ),
    "nothing answers pip": (
        {"programs": "no uv", "PIP_INDEX_URL": mirror.NOWHERE},
        r"^http://127.0.0.1:9 could not be reached: check the network",
    ),
    "no such name": (
        {"UV_DEFAULT_INDEX": "http://nowhere.invalid/simple"},
        r"^http://nowhere.invalid could not be looked up",
    ),
    "no proxy": (
        {"HTTPS_PROXY": mirror.NOWHERE},
        r"^The proxy could not be reached: check HTTPS_PROXY",
    ),
    "the proxy wants a password": (
        {"HTTPS_PROXY": "{refusing 407}"},
        r"^The proxy asks for a user name and a password: add them",
    ),
    "the mirror wants a password": (
        {"UV_DEFAULT_INDEX": "{refusing 401}/simple"},
        r"refused a download \(.*401.*\): check the address of your mirror",
    ),
    "the mirror is down": (
        {"UV_DEFAULT_INDEX": "{refusing 503}/simple"},
        r"refused a download \(.*503.*\): check the address of your mirror",
    ),
    "an unknown certificate": (
        {"UV_DEFAULT_INDEX": "{tls}/simple"},
        r"^The certificate of https://127.0.0.1:\d+ is not trusted here: set "
        "SSL_CERT_FILE to",
    ),
    "the mirror lacks a package": (
        {"UV_DEFAULT_INDEX": "{mirror}/empty"},
        r"\(tiny was not found .*\): choose a mirror that has it",
    ),
    "no download allowed": (
        {"UV_OFFLINE": "1"},
        r"^Something has not been downloaded yet, and UV_OFFLINE",
    ),
    "an old lock file": (
        {"edit": ("pyproject.toml", '"(tiny|jax-cuda13-plugin)"', "")},
        r"^uv.lock is missing or does not match pyproject.toml: run 'uv lock'",
    ),
    "no lock file": (
        {"edit": ("uv.lock", None, None)},
        r"^uv.lock is missing or does not match pyproject.toml: run 'uv lock'",
    ),
    "a download that breaks off": (
        {"UV_DEFAULT_INDEX": "{broken}/simple"},
        r"^A download .* was interrupted: run the same command again",
    ),
    "another checksum": (
        {
            "edit": ("uv.lock", r"sha256:\w{4}", "sha256:0000"),
            "UV_DEFAULT_INDEX": "{mirror}/simple",
        },
        r"has the wrong checksum and was not used",
    ),
    "no wheel for this machine": (
        {"edit": ("uv.lock", "py3-none-any", "cp312-cp312-win_amd64")},
        r"^You're on Linux .*, but `tiny` .* is not available there: use ",
    ),
    "no python": (
        {"programs": "nothing"},
        r"^No Python was found: install Python 3.12 or newer",
    ),
    "no python, and no download": (
        {
            "programs": "no python",
            "UV_PYTHON_INSTALL_DIR": "{home}/none",
            "UV_PYTHON_INSTALL_MIRROR": mirror.NOWHERE,
        },
        r"^http://127.0.0.1:9 could not be reached",
    ),
}


@pytest.fixture
def filled_in(bare, site):
    """Return a function that inserts the servers' addresses into settings."""
    folder, address = site
    pem = bare / "certificate.pem"
    pem.write_text(mirror.CERTIFICATE)
    servers = {
        "{tls}": {"tls": pem},
        "{broken}": {"breaks_off": True},
        **{f"{{refusing {it}}}": {"status": it} for it in (401, 407, 503)},
    }
    with contextlib.ExitStack() as stack:

        def fill_in(text):
            text = text.replace("{mirror}", address)
            text = text.replace("{home}", str(bare / "home"))
            for place, how in servers.items():
                if place in text:
                    server = mirror.serving(folder, **how)
                    text = text.replace(place, stack.enter_context(server))
            return text

        yield fill_in


@pytest.mark.parametrize(
    ("by", "cause"),
    [("sh", it) for it in CAUSES]
    + [(ENV_PY, it) for it in CAUSES if not it.startswith("no python")],
)
def test_a_failure_names_its_true_cause_in_one_sentence(
    bare, filled_in, by, cause
):
    settings, words = CAUSES[cause]
    # Make sure that there is no network.
    settings = {"HTTPS_PROXY": mirror.NOWHERE, "by": by} | settings
    programs = settings.pop("programs", "all")
    name, old, new = settings.pop("edit", ("", "", ""))
    if old:
        text = Path(name).read_text(encoding="utf-8")
        assert re.search(old, text)
        Path(name).write_text(re.sub(old, new, text), encoding="utf-8")
    elif name:
        Path(name).unlink()
    settings = {k: filled_in(v) for k, v in settings.items()}
    status, said = make_env(bare, programs, **settings)
    assert status == 1
    assert re.search(words, one_sentence(said)), said


def test_a_certificate_that_a_person_trusts_is_trusted(bare, filled_in):
    status, said = make_env(
        bare,
        UV_DEFAULT_INDEX=filled_in("{tls}/simple"),
        SSL_CERT_FILE=bare / "certificate.pem",
    )
    assert status == 0, said


@pytest.mark.parametrize("place", ["", ".venv"])
def test_a_folder_that_refuses_to_be_written_is_named(
    bare, site, anybody, place
):
    folder = bare / "project" / place
    if place:
        assert make_env(bare, UV_DEFAULT_INDEX=f"{site[1]}/simple")[0] == 0
        shutil.rmtree(next(folder.glob("lib/*/site-packages/tiny-*")))
    with read_only(folder):
        status, said = make_env(
            bare, before=anybody, UV_DEFAULT_INDEX=f"{site[1]}/simple"
        )
    assert status == 1
    sentence = one_sentence(said)
    assert sentence.startswith("Access was refused ("), said
    assert (place or ".uv") in sentence


def test_a_full_disk_is_named(bare, site):
    # In a separate mount namespace, copy the project to a 100 KiB disk.
    script = 'mount -t tmpfs -o size=100k none "$1" || exit 77; cp -R tests .python-version pyproject.toml uv.lock "$1" && cd "$1" && exec sh tests/tools/env.sh'
    disk = bare / "disk"
    disk.mkdir()
    before = ["unshare", "--map-root-user", "--mount", "sh", "-c", script, "-"]
    if not shutil.which("unshare"):
        pytest.skip("No disk can be mounted here.")
    status, said = run(
        [*before, disk],
        bare / "project",
        {
            "HOME": str(bare / "home"),
            "PATH": f"{bare / 'all'}{os.pathsep}{os.environ['PATH']}",
            "UV_DEFAULT_INDEX": f"{site[1]}/simple",
            "NO_PROXY": "127.0.0.1",
        },
    )
    if status == 77 or "unshare" in said:
        pytest.skip("No disk can be mounted here.")
    assert status == 1
    assert one_sentence(said).startswith("The disk is full: free some space")


def test_a_cause_that_is_none_of_these_is_shown_in_uvs_own_words(bare):
    Path("uv.lock").write_text("version = [", encoding="utf-8")
    status, said = make_env(bare)
    assert status == 1
    assert "Failed to parse `uv.lock`" in said
    assert said.endswith("could not be created; the lines above say why.\n")
    for word in ("network", "disk", "proxy", "mirror", "certificate"):
        assert word not in said


# Messages that programs print in situations that our tests cannot create on
# every machine.
SAID = {
    "WARNING: Retrying after connection broken by 'ProxyError('Cannot connect "
    "to proxy.', NewConnectionError('refused'))'\nERROR: No matching "
    "distribution found for uv": "The proxy could not be reached",
    "Could not fetch URL https://r.example/uv/: (Caused by SSLError("
    "SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]')))\n"
    "ERROR: No matching distribution found for uv": "The certificate of "
    "https://r.example is not trusted here",
    "Looking in indexes: http://r.example\nERROR: No matching distribution "
    "found for uv": "A package was not found (No matching",
    "npm error code ENOSPC\nnpm error syscall write": "The disk is full",
    "npm error code EROFS\nnpm error rofs EROFS: read-only file system, mkdir "
    "'/x'": "The project cannot be changed here",
    "error: failed to create directory `/x/.uv`: Read-only file system (os "
    "error 30)": "The project cannot be changed here (failed to create "
    "directory `/x/.uv`: Read-only file system",
    "error: failed to copy file from /a to /b: No space left on device (os "
    "error 28)": "The disk is full",
    "npm error code ECONNREFUSED\nnpm error request to https://r.example/a "
    "failed": "https://r.example could not be reached",
    "npm error code ENOTFOUND\nnpm error network request to "
    "http://r.example/a": "http://r.example could not be looked up",
    "npm error code E404\nnpm error 404 File not found - GET "
    "http://r.example/a": "A package was not found (404",
    "npm error code EINTEGRITY": "A download has the wrong checksum",
    "npm error code SELF_SIGNED_CERT_IN_CHAIN": "The certificate of another "
    "machine is not trusted",
    # These messages come from Windows.
    "error: failed to copy file: There is not enough space on the disk. (os "
    "error 112)": "The disk is full",
    "error: failed to remove file `C:\\x\\.venv\\a.pyd`: Access is denied. (os "
    "error 5)": "Access was refused (failed to remove file `C:\\x\\.venv\\a.pyd`",
    "error: failed to remove file `C:\\x\\a.pyd`: The process cannot access the "
    "file because it is being used by another process. (os error 32)": "A file "
    "is in use (failed to remove file `C:\\x\\a.pyd`",
    "error: failed to create file `C:\\x`: The filename or extension is too "
    "long. (os error 206)": "The folder's path is too long for Windows",
    "error: Building `x` failed\n  cause: compiler not found": "",
    "": "",
}


@pytest.mark.parametrize("words", SAID, ids=range(len(SAID)))
def test_what_npm_and_uv_say_is_understood(words):
    done = subprocess.run(
        ["sh", "tests/tools/why.sh"],
        input=words,
        capture_output=True,
        encoding="utf-8",
    )
    assert done.stdout.startswith(SAID[words])
    assert bool(done.stdout) == (not done.returncode) == bool(SAID[words])
    assert not done.stderr
    assert why(words) == done.stdout.strip()


# The next tests check the package that `pip install .` installs.


def test_pip_installs_what_the_notebooks_import(tmp_path):
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("notebooks", "img", "tests", "build"):
        (tmp_path / name).mkdir()
    # pip builds the metadata first, so a wrong project layout fails at this
    # step.
    code = "import sys; from setuptools import build_meta; print(build_meta.prepare_metadata_for_build_wheel(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    (metadata,) = tmp_path.glob("*.dist-info")
    said = importlib.metadata.PathDistribution(metadata).requires
    needs = [it for it in said if "extra ==" not in it]
    declared = tomllib.loads(
        Path("pyproject.toml").read_text(encoding="utf-8")
    )["project"]
    assert needs == declared["dependencies"]
    assert len(said) - len(needs) == 1  # what a GPU needs
    needs = {it.partition(">=")[0] for it in needs}
    provides = importlib.metadata.packages_distributions()
    missing = {
        name: pair
        for pair in all_pairs()
        for name in imports_of(pair)
        if name not in sys.stdlib_module_names
        and not {it.lower() for it in provides.get(name, [])} & needs
    }
    assert not missing, (
        "Notebooks import these modules, so list their packages under "
        "dependencies in pyproject.toml."
    )


EXPORT = (
    *("export", "--no-dev", "--no-hashes", "--no-emit-project"),
    *("--no-header", "--no-annotate", "--locked", "--offline"),
)


def test_binder_installs_what_is_locked(uv):
    wanted = subprocess.run(
        [uv, *EXPORT], capture_output=True, encoding="utf-8"
    )
    assert wanted.returncode == 0, wanted.stderr
    kept = Path(".binder/requirements.txt")
    assert kept.read_text(encoding="utf-8") == wanted.stdout, (
        f"{kept} is out of date: run uv {' '.join(EXPORT)} -o {kept}"
    )


def imports_of(pair):
    """Return the names of the modules that a notebook imports."""
    found = set()
    for cell in jupytext.read(pair.with_suffix(".md")).cells:
        if cell.cell_type != "code":
            continue
        lines = cell.source.splitlines()
        code = "\n".join(it for it in lines if not it.startswith(("%", "!")))
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.Import):
                found |= {it.name.split(".")[0] for it in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add(node.module.split(".")[0])
    return found


# The platforms for which we run uv, and uv's names for their systems.
WITHOUT_WHEELS = {
    "x86_64-apple-darwin": "macOS",  # a Mac with an Intel processor
    "x86_64-unknown-linux-musl": "Linux",
    "riscv64-unknown-linux": "Linux",
}


@pytest.mark.parametrize("platform", WITHOUT_WHEELS)
def test_a_platform_without_wheels_gets_one_clear_sentence(uv, platform):
    dry = ("sync", "--no-config", "--locked", "--dry-run", "--offline")
    refused = subprocess.run(
        [uv, *dry, "--python-platform", platform],
        capture_output=True,
        encoding="utf-8",
    )
    assert refused.returncode, (
        "This platform has packages now: update our message about it."
    )
    said = subprocess.run(
        ["sh", "tests/tools/why.sh"],
        input=refused.stderr,
        capture_output=True,
        encoding="utf-8",
    ).stdout
    assert one_sentence(said).startswith(
        f"You're on {WITHOUT_WHEELS[platform]} ("
    )
    assert "but `jaxlib` (v" in said and "a Mac with an Apple" in said


# The next tests check which of the user's settings reach our processes.


def test_what_people_need_passes_and_the_rest_does_not(tmp_path, monkeypatch):
    useful = {
        "UV_DEFAULT_INDEX": "https://mirror.example/simple",
        "UV_INDEX_OURS_PASSWORD": "secret",
        "PIP_INDEX_URL": "https://mirror.example/simple",
        "npm_config_registry": "https://mirror.example/npm",
        "https_proxy": "http://proxy.example:3128",
        "SSL_CERT_FILE": "/etc/ours.pem",
        "CUDA_VISIBLE_DEVICES": "1",
        "UV_CACHE_DIR": "/cache/uv",
        "JAX_COMPILATION_CACHE_DIR": "/cache/jax",
        "NO_PROXY": "example.org",
    }
    monkeypatch.delenv("NODE_EXTRA_CA_CERTS", raising=False)
    theirs = hostile.environment(tmp_path)
    theirs = {k: theirs[k] for k in hostile.VARIABLES}
    for name, value in (theirs | useful).items():
        monkeypatch.setenv(name, value)
    ours = clean.environment(tmp_path)
    assert ours["NO_PROXY"] == "127.0.0.1,example.org,localhost"
    useful["NO_PROXY"] = ours["NO_PROXY"]
    assert {name: ours.get(name) for name in useful} == useful
    assert ours["NODE_EXTRA_CA_CERTS"] == "/etc/ours.pem", (
        "npm needs this variable."
    )
    kept = {k for k, v in theirs.items() if ours.get(k) == v}
    assert kept == {"HTTP_PROXY", "HTTPS_PROXY"}
    # A second call must change nothing, because our commands start one
    # another.
    monkeypatch.setattr(os, "environ", ours)
    again = clean.environment(tmp_path)
    assert again.pop("PATH").endswith(ours.pop("PATH"))
    assert again == ours


def test_compiled_code_is_kept_where_the_sessions_look_for_it(
    tmp_path, monkeypatch
):
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    name = "JAX_COMPILATION_CACHE_DIR"
    kept = clean.environment(tmp_path)[name]
    assert kept == str(tmp_path / ".cache" / "intuitive_ai")
    text = Path("notebooks/04_basic_gpt.md").read_text(encoding="utf-8")
    assert 'Path.home() / ".cache" / "intuitive_ai"' in text
    monkeypatch.setenv("HOME", "/nowhere")
    ours = clean.environment(tmp_path)
    assert name not in ours
    assert os.access(ours["HOME"], os.W_OK)


def test_the_browser_is_opened_as_a_person_has_set_it_up(
    tmp_path, monkeypatch
):
    theirs = {"XDG_CONFIG_HOME": "/theirs", "LANG": "de_DE.UTF-8"}
    for name, value in theirs.items():
        monkeypatch.setenv(name, value)
        monkeypatch.delenv(f"OUTER_{name}", raising=False)
    for name in clean.OUTER:
        monkeypatch.delenv(f"OUTER_{name}", raising=False)
    monkeypatch.delenv("XDG_DATA_DIRS", raising=False)
    for _ in range(2):  # once in make, and once in serve.py
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        clean.enter(folder)
    opened = clean.outer()
    assert {name: opened[name] for name in theirs} == theirs
    assert "XDG_DATA_DIRS" not in opened
    assert "JUPYTER_CONFIG_DIR" not in opened


def test_npm_keeps_its_mirror_and_no_other_setting(tmp_path, monkeypatch):
    monkeypatch.setenv("TOKEN", "secret")
    monkeypatch.setenv("NPM_CONFIG_USERCONFIG", str(tmp_path / "theirs"))
    (tmp_path / "theirs").write_text(
        "registry = https://mirror.example/npm\n"
        "//mirror.example/npm/:_authToken=${TOKEN}\n"
        "https-proxy=http://proxy.example\nprefix=/nowhere\ndry-run=true\n"
    )
    kept = Path(clean.environment(tmp_path)["NPM_CONFIG_USERCONFIG"])
    assert kept.read_text(encoding="utf-8") == (
        "registry = https://mirror.example/npm\n"
        "//mirror.example/npm/:_authToken=secret\n"
        "https-proxy=http://proxy.example\n"
    )


# The next tests use a disk or a folder that can't be written to.


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "The disk is full: free some space"),
        (errno.EDQUOT, "The disk is full: free some space"),
        (errno.EROFS, "/notebooks cannot be changed here: copy the project"),
        (errno.EACCES, "/notebooks was refused: change its owner or its perm"),
        (errno.EPERM, "/notebooks was refused: change its owner or its perm"),
    ],
)
@pytest.mark.parametrize("wrapped", [False, True])
def test_what_a_disk_refuses_is_a_sentence(number, words, wrapped, capsys):
    def tool():
        error = OSError(number, os.strerror(number), "notebooks/.gone.tmp")
        if wrapped:
            raise RuntimeError("nbconvert has failed") from error
        raise error

    with pytest.raises(SystemExit) as ended:
        main(tool)
    assert words in str(ended.value)
    assert "\n" not in str(ended.value)


def test_another_error_is_not_blamed_on_the_disk():
    def tool():
        try:
            raise PermissionError(errno.EACCES, "handled earlier")
        except PermissionError as error:
            raise ValueError("our own bug") from error.__cause__

    with pytest.raises(ValueError, match="our own bug"):
        main(tool)


def test_no_temporary_folder_at_all_is_a_sentence(monkeypatch, capsys):
    def nowhere(*_, **__):
        raise FileNotFoundError(
            errno.ENOENT, "No usable temporary directory found in ['/tmp']"
        )

    monkeypatch.setattr(tempfile, "TemporaryDirectory", nowhere)
    with pytest.raises(SystemExit) as ended:
        clean.main([[]])
    assert "set TMPDIR to a writable folder" in str(ended.value)


# The next tests run the real commands in a copy of the project that has one
# small session.

# This code prints which of the user's settings reach a notebook.
PROBE = """\
import builtins
import os
import sys

import matplotlib.pyplot as plt

print(hasattr(builtins, "theirs"), sys.flags.optimize)
print(plt.get_backend(), plt.rcParams["lines.linewidth"])
for name in ("JAX_PLATFORMS", "PYTENSOR_FLAGS", "TZ", "XLA_FLAGS"):
    print(name, os.environ.get(name))"""
# The site needs these parts of a session, and a glossary.
READING = (
    "A circle has an **area**.",
    "**What you need** You need to know Python.",
    "**References**\n\n- Euclid, *Elements*, book XII.",
)
GLOSSARY = "area\n: The size of a surface.\n"
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+/\S+")


@pytest.fixture
def small_project(tmp_path):
    """Return a function that writes a small copy of the project."""

    def write(name, probe=""):
        folder = tmp_path / name / "project"
        folder.mkdir(parents=True)
        pair = example.project_in(folder)
        if probe:
            cells = example.session().cells
            reading = [example.text(it, "skip") for it in READING]
            cells[5:5] = [*reading, example.code(probe, 3)]
            example.write(pair, example.notebook(cells))
            (folder / "tests/tools/site/glossary.md").write_text(GLOSSARY)
            write_safely(pair.parent / "data" / "README.md", "# Data\n")
            for part in (".binder", ".github", "img"):
                shutil.copytree(ROOT / part, folder / part)
        shutil.copy(ROOT / ".gitignore", folder)
        decks.packages()
        for made in (".venv", ".uv", decks.PACKAGES):
            if (ROOT / made).exists():
                (folder / made).symlink_to(ROOT / made)
        return folder

    return write


def make(folder, env, *arguments, before=()):
    """Run `make` in a project; return its status and output.

    In the output, PROJECT replaces the path of the project.
    """
    status, said = run([*before, "make", *arguments], folder, env)
    return status, said.replace(str(folder), "PROJECT")


def page_of(folder, env, command):
    """Return the status and path of the page that a `make` command opens."""
    server = subprocess.Popen(
        ["make", command, "SESSION=1"],
        cwd=folder,
        env=env | {"BROWSER": "true"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        start_new_session=True,
    )
    try:
        said = ""
        while not (found := ADDRESS.search(said)):
            line = server.stdout.readline()
            assert line, said
            said += line
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(found[0], timeout=20) as page:
            return page.status, page.url.split("/", 3)[3].split("?")[0]
    finally:
        os.killpg(server.pid, 15)
        server.wait(timeout=30)
        server.stdout.close()


def do_everything(folder, env):
    """Run the Makefile's commands after an edit; return their output."""
    md = folder / "notebooks" / f"{example.NAME}.md"
    md.write_text(md.read_text().replace("pi = 3.1", "pi = 3.1  # about"))
    said = [make(folder, env, "sync")]
    status, words = make(folder, env, "run")
    said.append((status, "Traceback" in words))
    said += [make(folder, env, it) for it in ("lint", "decks", "site")]
    return said


def files_of(folder):
    """Return the contents of a project's files; for PDFs, return the text."""
    made = {".venv", ".uv", ".npm", ".sync", ".buildinfo"}
    files = hostile.files_in(folder, made)
    for name, data in files.items():
        if name.endswith(".ipynb"):
            # Ignore the running time, which depends on how busy the machine
            # is.
            files[name] = re.sub(rb'(running_seconds": )\d+', rb"\1", data)
        if name.endswith(".pdf"):
            pages = pypdfium2.PdfDocument(folder / name)
            files[name] = [it.get_textpage().get_text_range() for it in pages]
        if name.endswith(".zip"):
            # Compare only the names of files, because a zip also stores times.
            files[name] = zipfile.ZipFile(folder / name).namelist()
    return files


def test_every_command_does_the_same_whatever_a_person_has_set_up(
    small_project, tmp_path
):
    theirs = small_project("theirs", PROBE)
    nobodys = small_project("nobodys", PROBE)
    home = tmp_path / "theirs" / "home"
    hostile.write_home(home)
    (tmp_path / "nobodys" / "home").mkdir()
    plain = hostile.plain_environment(tmp_path / "nobodys" / "home")
    set_up = hostile.environment(home)
    before = hostile.files_in(home)
    mask = os.umask(0o077)
    try:
        said = do_everything(theirs, set_up)
        pages = [page_of(theirs, set_up, it) for it in ("slides", "lab")]
        # Start pytest without make, as an editor or a hook does. Leave out the
        # variables for Python itself, because only make can correct them
        # before Python starts.
        direct = {k: v for k, v in set_up.items() if k[:6] != "PYTHON"}
        pair = f"notebooks/{example.NAME}"
        tests = run(
            [sys.executable, "-m", "pytest", "-n0", "-q", f"{pair}.ipynb"],
            theirs,
            direct,
        )
    finally:
        os.umask(mask)
    assert said == do_everything(nobodys, plain)
    assert all(status == 0 for status, _ in said), said
    assert pages == [
        (200, f"nbclassic/notebooks/notebooks/{example.NAME}.ipynb"),
        (200, f"lab/tree/notebooks/{example.NAME}.ipynb"),
    ]
    assert tests[0] == 0, tests[1]
    assert re.search(r"\d\d passed", tests[1]), tests[1]
    assert files_of(theirs) == files_of(nobodys)
    assert hostile.files_in(home) == before, "A user's own file has changed."


# The next test starts other tests from a git hook.

COMMITS = """\
import subprocess

def test_commits(tmp_path):
    for command in (["init", "-q"], ["add", "."], ["config", "core.bare", "true"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
"""


@pytest.mark.parametrize("place", ["repository", "worktree"])
def test_tests_that_a_hook_starts_leave_the_repository_alone(tmp_path, place):
    main_folder = tmp_path / "repository"
    main_folder.mkdir()
    example.project_in(main_folder)
    (main_folder / "tests" / "test_commits.py").write_text(COMMITS)
    git(main_folder, "init", "-q")
    git(main_folder, "add", ".")
    git(main_folder, "commit", "-qm", "start")
    folder = tmp_path / place
    if place == "worktree":
        git(main_folder, "worktree", "add", "-q", str(folder))
    hook = main_folder / ".git" / "hooks" / "pre-commit"
    write_safely(
        hook,
        "#!/bin/sh\n"
        'test "$GIT_INDEX_FILE" || exit 2\n'
        f"{sys.executable} -m pytest -n0 -q tests/test_commits.py >said 2>&1\n"
        "exit 1\n",
    )
    hook.chmod(0o755)
    (folder / "README.md").write_text("edited")
    git(folder, "add", "README.md")

    def state():
        return [
            git(folder, *command)
            for command in (
                ["log", "--all", "--stat"],
                ["ls-files", "--stage"],
                ["config", "--list", "--local"],
                ["status", "--short", "--untracked-files=no"],
            )
        ] + [hostile.files_in(main_folder / ".git" / "hooks")]

    before = state()
    who = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    if place == "repository":
        who += ["--git-dir", str(folder / ".git"), "--work-tree", str(folder)]
    run(["git", *who, "commit", "-m", "tried"], folder, os.environ)
    assert "1 passed" in (folder / "said").read_text()
    assert state() == before


def test_a_checkout_has_the_same_bytes_whatever_git_makes_of_line_endings(
    tmp_path,
):
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    for name in ("tests", "notebooks", "img"):
        skip = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
        shutil.copytree(ROOT / name, first / name, ignore=skip)
    for path in ROOT.iterdir():
        if path.is_file() and path.name != ".git":
            shutil.copy(path, first)
    git(first, "init", "-q")
    git(first, "add", "--all")
    git(first, "commit", "-qm", "start")
    git(
        tmp_path,
        *(["-c", "core.autocrlf=true", "clone", "-q", "first", "second"]),
    )
    files = hostile.files_in(second, {".git"})
    assert files == {
        name: text
        for name, text in hostile.files_in(first, {".git"}).items()
        if name in files
    }
    for name, text in files.items():
        assert b"\r\n" not in text or b"\0" in text, f"{name} contains CRLF."
    assert "tests/tools/env.sh" in files


def test_where_nothing_can_be_written_every_command_works_or_says_so(
    small_project, tmp_path, anybody
):
    folder = small_project("theirs")
    home = tmp_path / "theirs" / "home"
    home.mkdir()
    env = hostile.plain_environment(home)
    assert make(folder, env, "sync", before=anybody)[0] == 0
    before = files_of(folder)
    with read_only(tmp_path / "theirs"):
        for command in ("sync", "lint", "decks", "run"):
            status, said = make(folder, env, command, before=anybody)
            if status or command in ("decks", "run"):
                words = said.splitlines()
                # Leave out the progress bar and the empty lines.
                words = [it for it in words if it and "cell" not in it]
                assert one_sentence("\n".join(words)).startswith("Access to ")
    assert files_of(folder) == before
    # Commands work even if the home folder is read-only or missing.
    shutil.rmtree(home)
    home.mkdir(mode=0o555)
    del env["XDG_CACHE_HOME"]
    nowhere = {"HOME": "/nowhere", "TMPDIR": str(home)}
    assert make(folder, env | nowhere, "sync", before=anybody)[0] == 0
    status, said = make(folder, env, "run", before=anybody)
    assert status == 0, said
    # Matplotlib prints a warning if it has no folder for its cache.
    code = "import matplotlib; matplotlib.get_cachedir()"
    python = [sys.executable, "-I", "tests/tools/clean.py", "-c", code]
    assert run([*anybody, *python], folder, env) == (0, "")
    assert not list(home.rglob("*"))
    assert not Path("/nowhere").exists()
