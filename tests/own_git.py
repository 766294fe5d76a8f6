"""git for tests, isolated from the user's settings and our own repository."""

import os
import subprocess


def git(folder, *arguments):
    """Run git in a folder, isolated from everything else on this machine.

    Tests may be started from a git hook, whose environment names the real
    repository and its index. So we use an environment of our own, which only
    takes the paths of programs from the outer one. No settings, hooks,
    templates or repositories outside the folder are found. Takes: `folder`, a
    Path; `arguments` for git. Returns what git prints. Raises
    CalledProcessError if git fails.
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
