"""Find or install Chromium, which we use to print and test the decks."""

import contextlib
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import PureWindowsPath

import env
from clean import ON_WINDOWS
from playwright.sync_api import Error, sync_playwright
from sessions import Problem

NAMES = (
    "chromium",
    "google-chrome",
    "chromium-browser",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
# Environment variables that contain the program folders of Windows, and the
# paths of browsers inside these folders.
WINDOWS_FOLDERS = ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA")
WINDOWS_NAMES = (
    "Google/Chrome/Application/chrome.exe",
    "Chromium/Application/chrome.exe",
    "Microsoft/Edge/Application/msedge.exe",
)
# An address on another machine.
OUTSIDE = re.compile(r"(https?|wss?)://(?!(127\.0\.0\.1|localhost)[:/])")
# This option makes all other machines unreachable, as if there were no
# network.
NOWHERE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"
MISSING = (
    "Chromium was not found and could not be installed: install it yourself "
    "(on Debian: apt install chromium; on Windows: Chrome or Edge; elsewhere: "
    f"{env.program('.venv', 'python')} -m playwright install chromium), "
    "then run the same command again."
)


def starts(path):
    """Return whether the file at `path` is a program that starts."""
    if ON_WINDOWS:
        # On Windows, Chrome opens a window when it is asked for its version.
        return os.path.isfile(path)
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        return not subprocess.run(
            [path, "--version"], capture_output=True, timeout=60
        ).returncode
    return False


def places_on_windows(variables):
    """Return the usual paths of browsers on Windows, given an environment."""
    folders = [variables[it] for it in WINDOWS_FOLDERS if it in variables]
    return [
        str(PureWindowsPath(folder, name))
        for name in WINDOWS_NAMES
        for folder in folders
    ]


def find():
    """Return the path of a Chromium on this machine, or "" if there is none."""
    for name in (*NAMES, *places_on_windows(os.environ)):
        path = shutil.which(name)
        # On Ubuntu, `chromium-browser` may be a stub that only prints where to
        # get Chromium.
        if path and starts(path):
            return path
    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if starts(path) else ""


def is_root():
    """Return whether this process runs as root, as in many containers."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def install():
    """Install Chromium, with apt-get on Debian or else with Playwright."""
    as_root = [] if is_root() else ["sudo", "-n"]
    system = ""
    with contextlib.suppress(OSError):
        system = platform.freedesktop_os_release()["ID"]
    if system == "debian":
        quietly = ["install", "-y", "--no-install-recommends"]
        commands = [
            [*as_root, "apt-get", "update"],
            [*as_root, "apt-get", *quietly, "chromium", "fonts-dejavu-core"],
        ]
    else:
        commands = [
            [sys.executable, "-m", "playwright", "install", "chromium"]
        ]
    print("Installing Chromium (only once) ...", file=sys.stderr, flush=True)
    for command in commands:
        with contextlib.suppress(OSError):
            subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True
            )


def program():
    """Return the path of Chromium, installing it first if it is missing.

    Raise Problem if it cannot be installed.
    """
    path = find()
    if not path:
        install()
        path = find()
    if not path:
        raise Problem(MISSING)
    return path


@contextlib.contextmanager
def chromium():
    """Start Chromium without a window, and close it at the end.

    Yield Playwright's browser. Raise Problem if Chromium is missing and cannot
    be installed.
    """
    path = program()
    arguments = [NOWHERE]
    # Chromium's sandbox does not work for root.
    if is_root():
        arguments.append("--no-sandbox")
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(
                executable_path=path, args=arguments
            )
        except Error as error:
            raise Problem(f"{path} does not start: {error}") from None
        try:
            yield browser
        finally:
            browser.close()


def page_of(browser, **settings):
    """Open a page in a new browser profile, and record what it requests.

    `browser` comes from Playwright, and `settings` are passed to its new
    context. Return the page and a list that records all requested addresses on
    other machines. These requests fail, as if there were no network.
    """
    context = browser.new_context(**settings)
    outside = []

    def note(asked):
        if OUTSIDE.match(asked.url):
            outside.append(asked.url)

    page = context.new_page()
    context.on("request", note)
    page.on("websocket", note)
    return page, outside
