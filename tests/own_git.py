"""git for tests: it sees neither a person's settings nor the repository around."""

import os
import subprocess


def git(folder, *arguments):
    """Run git in a folder, apart from everything else on this machine.

    Tests may be started from a git hook, whose environment names the real
    repository and its index. So the environment is our own, and holds nothing
    of the outer one but where programs are; no settings, hooks, templates or
    repositories outside of the folder are found. Takes: `folder`, a Path;
    `arguments`, git's own. Returns what git prints. Raises CalledProcessError
    where it fails.
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
