"""Run git in tests, isolated from the user's settings and our repository."""

import os
import subprocess


def git(folder, *arguments):
    """Run git in a folder, isolated from everything else on this machine.

    Tests may be started from a git hook, whose environment names the real
    repository and its index. So we build a new environment, which keeps only
    PATH from the current one. In this environment, git does not find any
    settings, hooks, templates or repositories outside the folder.

    `folder` is a Path, and `arguments` are passed to git. Return what git
    prints. Raise CalledProcessError if git fails.
    """
    nothing = {"GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"}
    who = {"NAME": "test", "EMAIL": "test@localhost"}
    done = subprocess.run(
        ["git", "-c", f"core.hooksPath={os.devnull}", *arguments],
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "LC_ALL": "C",
            "GIT_CEILING_DIRECTORIES": str(folder.resolve().parent),
            "GIT_TEMPLATE_DIR": "",
            "GIT_TERMINAL_PROMPT": "0",
            **dict.fromkeys(nothing, os.devnull),
            **{
                f"GIT_{role}_{name}": value
                for role in ("AUTHOR", "COMMITTER")
                for name, value in who.items()
            },
        },
        check=True,
        capture_output=True,
        encoding="utf-8",
    )
    return done.stdout + done.stderr
