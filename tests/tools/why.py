"""Turn the messages of uv, pip or npm into one sentence of advice."""

import re
from pathlib import Path

CAUSES = Path(__file__).with_name("causes.txt")
# The parts of a line before and after the actual message, which are left out.
AROUND = re.compile(
    r"^ *((cause|error|hint|ERROR|npm error):* *)?(Because )?|\{[^}]*\}"
    r"| and you require.*| only has wheels.*|[. ]*$"
)


def why(said):
    """Return a sentence that says why a program failed and what to do.

    `said` is everything that the program printed. Return "" if the output
    matches none of the causes in causes.txt. why.sh reads the same file.
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
