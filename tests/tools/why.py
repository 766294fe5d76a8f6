"""Why uv, pip or npm failed: what they said, as one sentence that tells what to do."""

import re
from pathlib import Path

CAUSES = Path(__file__).with_name("causes.txt")
# What stands around the words of a line.
AROUND = re.compile(
    r"^ *((cause|error|hint|ERROR|npm error):* *)?(Because )?|\{[^}]*\}"
    r"| and you require.*| only has wheels.*|[. ]*$"
)


def why(said):
    """Return the cause that a failed program names, and what to do about it.

    Takes: `said`, all that it printed. Returns "" where it names none that
    stands in causes.txt, which why.sh reads as well.
    """
    lines = said.splitlines()
    found = re.search(r"https?://[A-Za-z0-9.:_-]*", said)
    address = found[0] if found else "another machine"
    for row in CAUSES.read_text("utf-8").splitlines():
        cause, _, sentence = row.partition("\t")
        for line in lines if sentence else ():
            if re.search(cause, line):
                words = AROUND.sub("", line)
                return sentence.replace("{words}", words).replace(
                    "{address}", address
                )
    return ""
