"""Test Session 5's table of models and its server.

The server's code comes from the notebook's cells tagged `for-solutions`.
"""

import json
import os
import re
import urllib.error
import urllib.request

import pandas as pd
import pytest
from exercises import tagged
from sessions import NOTEBOOKS, find_session, read_ipynb

pytestmark = pytest.mark.session("5")
CODE = tagged(read_ipynb(find_session("5")), "for-solutions")
TABLE = NOTEBOOKS / "data" / "models.csv"
NUMBERS = [
    "parameters_total",
    "parameters_active",
    "context",
    "training_tokens",
]
YES_OR_NO = ["weights", "training_code", "data", "unrestricted_use"]
COLUMNS = ["name", "maker", "date", *NUMBERS, "licence", *YES_OR_NO]
COLUMNS += ["source", "source_date"]
DATE = r"\d{4}-\d{2}(-\d{2})?"  # the day, or the month if the day is unknown
PLAUSIBLE = {  # limits that catch missing or extra zeros
    "parameters_total": (1e8, 1e13),
    "parameters_active": (1e8, 1e13),
    "context": (128, 2e7),
    "training_tokens": (1e9, 1e14),
}


def faults_of(models):
    """Return a list of what is wrong with a table of models.

    The table's cells are strings. A cell is empty if the value has not been
    published.
    """
    if list(models.columns) != COLUMNS:
        return [f"the columns should be {', '.join(COLUMNS)}"]
    faults = []
    for row in models.to_dict("records"):
        name = row["name"]
        sources = row["source"].split(" ")
        if not all(it.startswith("https://") for it in sources):
            faults.append(f"{name}: there is no source, so add an address")
        if len(set(sources)) < len(sources):
            faults.append(f"{name}: the same source is listed twice")
        for column in ("date", "source_date"):
            date = pd.to_datetime(row[column], errors="coerce")
            if pd.isna(date) or not re.fullmatch(DATE, row[column]):
                faults.append(
                    f"{name}: {column} {row[column]!r} is not a date"
                )
        for column in NUMBERS:
            lowest, highest = PLAUSIBLE[column]
            if row[column] and not row[column].isdigit():
                faults.append(f"{name}: {column} is not a whole number")
            elif row[column] and not lowest <= int(row[column]) <= highest:
                faults.append(f"{name}: {column} is not plausible")
        for column in YES_OR_NO:
            if row[column] not in ("yes", "no", ""):
                faults.append(f"{name}: {column} must be yes, no or empty")
        if not row["weights"]:
            faults.append(f"{name}: weights must be yes or no")
        elif row["weights"] == "yes" and row["licence"] == "proprietary":
            faults.append(
                f"{name}: it is proprietary, but the weights are open"
            )
        elif row["weights"] == "no" and row["unrestricted_use"] == "yes":
            faults.append(
                f"{name}: use is unrestricted, but the weights are closed"
            )
        if not (row["maker"] and row["licence"]):
            faults.append(f"{name}: maker or licence is missing")
        total, active = row["parameters_total"], row["parameters_active"]
        known = total.isdigit() and active.isdigit()
        if known and int(active) > int(total):
            faults.append(
                f"{name}: it has more active parameters than total parameters"
            )
    twice = models["name"][models["name"].duplicated()]
    return faults + [f"{name}: it is listed twice" for name in twice]


@pytest.fixture
def models():
    """Return the table of models, with every cell as a string."""
    return pd.read_csv(TABLE, dtype=str, keep_default_na=False)


@pytest.fixture(scope="module")
def session():
    """Return the functions and values that the session's cells define.

    The session's server keeps running until the tests have finished.
    """
    names, here = {"__name__": "session"}, os.getcwd()
    os.chdir(NOTEBOOKS)
    try:
        exec(CODE, names)
    finally:
        os.chdir(here)
    yield names
    names["server"].shutdown()


def test_every_model_has_a_source_and_no_cell_is_a_guess(models):
    assert faults_of(models) == []
    assert len(models) >= 40
    assert models["date"].min() < "2019"
    assert models["date"].is_monotonic_increasing, "sort the rows by date"


def test_the_readme_gives_a_rule_for_each_column():
    text = (TABLE.parent / "README.md").read_text(encoding="utf-8")
    rules = [li for li in text.splitlines() if li.startswith("| `")]
    named = re.findall(r"`(\w+)`", " ".join(li.split("|")[1] for li in rules))
    assert named == COLUMNS


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("source", "", "no source"),
        ("source", "a friend", "no source"),
        ("source", "https://example.org and a friend", "no source"),
        ("source", "https://example.org https://example.org", "twice"),
        ("source_date", "", "is not a date"),
        ("date", "12 July 2022", "is not a date"),
        ("date", "2022", "is not a date"),
        ("context", "2", "not plausible"),
        ("training_tokens", "366", "not plausible"),
        ("parameters_total", "7B", "not a whole number"),
        ("parameters_active", "9" * 12, "more active parameters"),
        ("weights", "partly", "yes, no or empty"),
        ("weights", "", "yes or no"),
        ("licence", "proprietary", "but the weights are open"),
        ("licence", "", "licence is missing"),
        ("name", "GPT-1", "listed twice"),
    ],
)
def test_a_row_that_cannot_be_trusted_is_refused(models, column, value, words):
    row = models.index[models["name"] == "BLOOM-176B"][0]
    models.loc[row, column] = value
    faults = faults_of(models)
    assert len(faults) == 1, faults
    assert words in faults[0]


def test_the_server_answers_at_once_and_piece_by_piece_alike(session):
    messages = [{"role": "user", "content": "\nHAMLET.\n"}]
    ask = session["ask"]
    with urllib.request.urlopen(ask(messages, max_tokens=30)) as answer:
        whole = json.load(answer)
    request = ask(messages, max_tokens=30, stream=True)
    with urllib.request.urlopen(request) as answer:
        assert answer.headers["Content-Type"] == "text/event-stream"
        lines = [line.decode().strip() for line in answer if line.strip()]
    assert lines.pop() == "data: [DONE]"
    chunks = [json.loads(it.removeprefix("data: ")) for it in lines]
    deltas = [it["choices"][0]["delta"] for it in chunks]
    assert deltas[0] == {"role": "assistant"} and deltas[-1] == {}
    pieces = [it["content"] for it in deltas[1:-1]]
    message = whole["choices"][0]["message"]
    assert len(message["content"]) == len(pieces) == 30
    assert "".join(pieces) == message["content"]


def test_an_answer_has_what_a_client_of_the_convention_reads(session):
    messages = [{"role": "user", "content": "a"}]
    options = {"model": "any-name", "max_tokens": 1}
    ask = session["ask"]
    with urllib.request.urlopen(ask(messages, **options)) as answer:
        whole = json.load(answer)
    with urllib.request.urlopen(ask(messages, **options, stream=True)) as it:
        chunks = [json.loads(li[6:]) for li in it if li[6:].startswith(b"{")]
    kinds = {"chat.completion": [whole], "chat.completion.chunk": chunks}
    for kind, answers in kinds.items():
        for answer in answers:
            assert answer["object"] == kind
            assert answer["model"] == "any-name"
            assert answer["id"] and isinstance(answer["created"], int)
            assert answer["choices"][0]["index"] == 0
    ends = [it["choices"][0]["finish_reason"] for it in chunks]
    assert ends == [None, None, "length"]
    assert len({it["id"] for it in chunks}) == 1
    assert whole["choices"][0]["finish_reason"] == "length"
    assert whole["choices"][0]["message"]["role"] == "assistant"


def test_without_a_number_an_answer_has_a_hundred_characters(session):
    request = session["ask"]([{"content": "a"}], max_tokens=None)
    with urllib.request.urlopen(request) as answer:
        message = json.load(answer)["choices"][0]["message"]
    assert len(message["content"]) == 100


def test_another_path_is_not_found_and_the_answer_says_which_is(session):
    request = session["ask"]([{"content": "a"}])
    request.full_url = request.full_url.replace("chat/", "")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)
    assert refused.value.code == 404
    sentence = json.load(refused.value)["error"]["message"]
    assert "/v1/chat/completions" in sentence


def test_a_hosted_model_is_asked_by_its_own_name(session):
    hosted = session["ask"]([], "https://provider.example/v1", "theirs")
    assert json.loads(hosted.data)["model"] == "theirs"
    assert hosted.full_url == "https://provider.example/v1/chat/completions"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "Send JSON"),
        (b"{", "Send JSON"),
        (b"[]", "Send JSON"),
        (b'{"messages": []}', "Send JSON"),
        (b'{"messages": [{"content": 3}]}', "Send JSON"),
        (b'{"messages": [{"content": null}]}', "Send JSON"),
        (b'{"messages": [{"content": "3"}]}', "does not know ['3']"),
        (
            b'{"messages": [{"content": "a"}], "max_tokens": 1e999}',
            "Send JSON",
        ),
        (b'{"messages": [{"content": ""}]}', "1 to 128 characters"),
        (b'{"messages": [{"content": "a"}], "max_tokens": 0}', "1 to 1000"),
        (b'{"messages": [{"content": "a"}], "max_tokens": "x"}', "Send JSON"),
        (b'{"messages": [{"content": "a"}], "max_tokens": 2.5}', "Send JSON"),
        (b'{"messages": [{"content": "a"}], "max_tokens": 1001}', "to 1000"),
        (b"[" * 100_000, "Send JSON"),
        ('{"messages": [{"content": "ß"}]}'.encode(), "does not know ['ß']"),
        (b"\xff", "Send JSON"),
    ],
)
def test_a_request_that_cannot_be_served_gets_a_sentence(session, body, words):
    request = session["ask"]([])
    request.data = body
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)
    assert refused.value.code == 400
    assert words in json.load(refused.value)["error"]["message"]
