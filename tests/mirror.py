"""Set up a package mirror on this machine, and a project that uses it."""

import contextlib
import functools
import hashlib
import http.server
import re
import shutil
import ssl
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

ROOT = Path(__file__).absolute().parents[1]
# The addresses of the public package index and of its files, as they appear in
# our own lock file.
LOCK = (ROOT / "uv.lock").read_text("utf-8")
PYPI = re.search(r'registry = "(.+?)"', LOCK)[1]
FILES = re.search(r'url = "(https://.+?/packages)/', LOCK)[1]
NOWHERE = "http://127.0.0.1:9"  # nothing listens on this port
# A self-signed certificate for 127.0.0.1, and its key.
CERTIFICATE = """\
-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIPEERr2h3t5trNpW2AqfUhwu/IKzAQny+WqtHktaK5KG
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBTDCB/6ADAgECAhRIHsOg3O8EyMnlrhhxaGEYJMayWzAFBgMrZXAwFDESMBAG
A1UEAwwJMTI3LjAuMC4xMCAXDTI2MTEyNjA5NDMyNFoYDzIxMjYxMTAyMDk0MzI0
WjAUMRIwEAYDVQQDDAkxMjcuMC4wLjEwKjAFBgMrZXADIQD0r2STrOreHQvBswaj
+z2KWWQUkqhJWathSIG4nmGoa6NhMF8wHQYDVR0OBBYEFAzqyo41LmI8Sg9DWPTR
3MMlwo3iMB8GA1UdIwQYMBaAFAzqyo41LmI8Sg9DWPTR3MMlwo3iMA8GA1UdEQQI
MAaHBH8AAAEwDAYDVR0TAQH/BAIwADAFBgMrZXADQQAg6dJ2g6A9h9k2e8NEtQAG
tYrPHAVdb1f+P2uhsSQM3K4OpAzmVfthPqadCuS+IQ/IuXZCrFjjTWNDj3t01V4J
-----END CERTIFICATE-----
"""
PYPROJECT = """\
[project]
name = "intuitive-ai"
version = "0.1.0"
requires-python = ">=3.12"
dependencies = ["tiny"]

[project.optional-dependencies]
cuda = ["jax-cuda13-plugin"]

[tool.uv]
package = false
"""
PROGRAMS = ["sh", "mkdir", "grep", "sed", "awk", "cat", "tail", "env"]


def write_wheel(folder, name):
    """Write a wheel with a program of the same name; return its path."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    files = {
        f"{name}/__init__.py": f"def main():\n    print('{name} runs')\n"
        + "# filler\n" * 9999,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\n"
        "Version: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\n"
        "Root-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\n"
        f"{name} = {name}:main\n",
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
    return path


class Mirror(http.server.SimpleHTTPRequestHandler):
    """A request handler that serves a folder as a package mirror.

    It can also interrupt downloads or refuse every request.
    """

    status = 0
    breaks_off = False

    def log_message(self, *_):
        """Don't log anything."""

    def do_GET(self):
        """Serve a file, or only half of it to simulate an interruption."""
        if self.status:
            self.send_error(self.status)
        elif self.breaks_off and self.path.endswith(".whl"):
            data = Path(self.translate_path(self.path)).read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: len(data) // 2])
        else:
            super().do_GET()

    def do_CONNECT(self):
        """Act as a proxy that refuses every connection."""
        self.send_error(self.status)


@contextlib.contextmanager
def serving(folder, tls="", **settings):
    """Serve a folder on the loopback address, and yield the address.

    To use TLS, pass the path of a file with a certificate and its key as
    `tls`. `settings` become attributes of Mirror.
    """
    handler = type("Handler", (Mirror,), settings)
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(handler, directory=folder)
    )
    # Ignore errors, because some tests expect the client to refuse the
    # certificate.
    server.handle_error = lambda *_: None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(
        target=server.serve_forever, args=[0.02], daemon=True
    ).start()
    scheme = "https" if tls else "http"
    yield f"{scheme}://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def write_site(folder):
    """Write a mirror that has the package `tiny`, and an empty mirror.

    The first mirror also has a package with the same name as JAX's GPU plugin.
    """
    (folder / "empty").mkdir()
    for name in ("tiny", "jax_cuda13_plugin"):
        page = folder / "simple" / name.replace("_", "-")
        page.mkdir(parents=True)
        wheel = write_wheel(page, name)
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        (page / "index.html").write_text(
            f'<a href="{wheel.name}#sha256={digest}">{wheel.name}</a>'
        )


def write_project(folder, uv, mirror):
    """Write a project that needs `tiny`.

    As in our own project, uv.lock contains addresses on pypi.org.
    """
    tools = folder / "tests" / "tools"
    tools.mkdir(parents=True)
    for name in (
        *("env.sh", "why.sh", "causes.txt"),
        *("do.py", "env.py", "why.py", "clean.py"),
    ):
        shutil.copy(ROOT / "tests" / "tools" / name, tools)
    shutil.copy(ROOT / "Makefile", folder)
    (folder / "pyproject.toml").write_text(PYPROJECT)
    version = "{}.{}".format(*sys.version_info)
    (folder / ".python-version").write_text(version)
    subprocess.run(
        [uv, "lock", "--no-config", "--quiet", "--default-index", mirror],
        cwd=folder,
        env={
            "PATH": f"{sys.base_prefix}/bin",
            "UV_CACHE_DIR": str(folder.parent / "first cache"),
        },
        check=True,
    )
    lock = folder / "uv.lock"
    text = lock.read_text().replace(f'"{mirror}"', f'"{PYPI}"')
    text = text.replace(mirror, FILES)
    lock.write_text(text)


def write_programs(folder, **more):
    """Create a folder with links to PROGRAMS and to some other programs."""
    folder.mkdir()
    for name in PROGRAMS:
        (folder / name).symlink_to(shutil.which(name))
    for name, path in more.items():
        (folder / name).symlink_to(path)
