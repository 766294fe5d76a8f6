"""Session 4 keeps its promises for bad input, for a stop, and for many devices.

The code is the notebook's own: its cells that are tagged `for-solutions`.
"""

import hashlib
import json
import os
import re
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import jax
import numpy as np
import pytest
from exercises import tagged
from sessions import NOTEBOOKS, find_session, read_ipynb

CODE = tagged(read_ipynb(find_session("4")), "for-solutions")
WEIGHTS = NOTEBOOKS / "data" / "basic_gpt.safetensors"
# Prints how many devices there are, and the losses of five steps on one of them
# and on all; None for one where there are more processes, which share no device.
ON_DEVICES = """
import json, sys, jax
jax.config.update("jax_num_cpu_devices", {devices})
if {processes} > 1:
    jax.distributed.initialize("127.0.0.1:{port}", {processes}, {number})
exec(sys.stdin.read())
one = jax.devices()[0]
alone = five_losses(one, one) if {processes} == 1 else None
print(json.dumps([jax.device_count(), alone, five_losses(copied, divided)]))
"""


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    """Return the names that the session's cells define."""
    names, here = {"__name__": "session"}, os.getcwd()
    jax.config.update("jax_num_cpu_devices", 4)
    os.chdir(NOTEBOOKS)
    try:
        exec(CODE, names)
    finally:
        os.chdir(here)
    return names


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "has 0 characters"),
        (b"To be, or not to be", "at least 2560 are needed"),
        ("Où êtes-vous? ".encode("latin-1") * 400, "is not UTF-8"),
    ],
    ids=["empty", "short", "another encoding"],
)
def test_a_corpus_that_cannot_serve_is_refused(
    session, tmp_path, content, says
):
    path = tmp_path / "corpus.txt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=says):
        session["read_corpus"](path)


def test_a_prompt_with_unknown_characters_is_refused(session):
    with pytest.raises(ValueError, match="no \\['ß', 'é'\\]: leave them out"):
        session["encode"]("Café, Straße")


def test_a_training_that_was_stopped_goes_on_where_it_was(session, tmp_path):
    train, tiny = session["train_gpt"], session["tiny"]
    at_once = train(tiny, tmp_path / "a", steps=200)
    train(tiny, tmp_path / "b", steps=200, stop=100)
    in_two = train(tiny, tmp_path / "b", steps=200)
    for a, b in zip(
        *(
            jax.tree.leaves(session["nnx"].state(it))
            for it in (at_once, in_two)
        ),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)


def checkpoint_files(folder):
    """Return the content of all files in a folder, by their names."""
    return {it: it.read_bytes() for it in folder.rglob("*") if it.is_file()}


@pytest.mark.parametrize("fault", ["cut short", "another shape"])
def test_a_bad_checkpoint_is_refused_and_left_as_it_is(
    session, tmp_path, fault
):
    train, tiny = session["train_gpt"], session["tiny"]
    train(tiny, tmp_path, steps=200, stop=100)
    other = session["Config"](width=64, layers=1)
    if fault == "cut short":
        for path, content in checkpoint_files(tmp_path).items():
            if len(content) > 1000:
                path.write_bytes(content[: len(content) // 2])
        other = tiny
    before = checkpoint_files(tmp_path)
    with pytest.raises(ValueError, match="choose another folder"):
        train(other, tmp_path, steps=200)
    assert checkpoint_files(tmp_path) == before


def test_weights_that_are_broken_or_of_another_model_are_refused(
    session, tmp_path
):
    load, gpt = session["load_weights"], session["GPT"]
    config, rngs = session["Config"], session["nnx"].Rngs
    short = tmp_path / "short.safetensors"
    short.write_bytes(WEIGHTS.read_bytes()[:1_000_000])
    with pytest.raises(ValueError, match="is broken: fetch it anew"):
        load(short, gpt(config(), rngs(0)))
    with pytest.raises(ValueError, match="it is of another model"):
        load(WEIGHTS, gpt(config(width=64), rngs(0)))
    with pytest.raises(ValueError, match="it is of another model"):
        load(WEIGHTS, gpt(config(layers=5), rngs(0)))


def test_the_weights_are_those_of_their_card(session):
    card = (NOTEBOOKS / "data" / "README.md").read_text(encoding="utf-8")
    content = WEIGHTS.read_bytes()
    assert len(content) < 4_000_000
    assert hashlib.sha256(content).hexdigest() in card, (
        "The weights are others: bring their card in data/README.md up to date."
    )
    nnx = session["nnx"]
    model = session["GPT"](session["Config"](), nnx.Rngs(0))
    loaded = session["load_weights"](WEIGHTS, model)
    loss = float(session["score"](*nnx.split(loaded)))
    (said,) = re.findall(r"\| loss \| ([\d.]+) nats", card)
    assert loss == pytest.approx(float(said), abs=2e-3)


def test_saving_that_fails_leaves_the_weights_as_they_were(
    session, tmp_path, monkeypatch
):
    path = tmp_path / "weights.safetensors"
    model = session["GPT"](session["tiny"], session["nnx"].Rngs(0))
    session["save_weights"](path, model)
    before = path.read_bytes()

    def disk_full(arrays, beside):
        beside.write_bytes(b"half of it")
        raise OSError("No space left on device")

    monkeypatch.setitem(session, "save_file", disk_full)
    with pytest.raises(OSError, match="No space"):
        session["save_weights"](path, model)
    assert path.read_bytes() == before


def start(devices, processes=1, number=0, port=0):
    """Start a process that takes five steps on so many simulated devices."""
    program = ON_DEVICES.format(
        devices=devices, processes=processes, number=number, port=port
    )
    return subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=NOTEBOOKS,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def losses_of(process, devices):
    """Return what a process prints, its losses on one and on all devices.

    Raises AssertionError with the process' own words where it fails.
    """
    code = CODE.replace('devices", 4', f'devices", {devices}')
    said, errors = process.communicate(code, timeout=300)
    assert said, errors
    return json.loads(said.splitlines()[-1])


def test_eight_devices_find_the_losses_of_one():
    count, alone, together = losses_of(start(devices=8), devices=8)
    assert count == 8
    np.testing.assert_allclose(together, alone, atol=1e-3)


def test_two_processes_find_the_losses_of_one(session):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    both = [start(4, 2, number, port) for number in (0, 1)]
    # At the same time: each waits for the other.
    with ThreadPoolExecutor() as pool:
        found = list(pool.map(lambda it: losses_of(it, devices=4), both))
    one = jax.devices()[0]
    alone = session["five_losses"](one, one)
    for count, _, together in found:
        assert count == 8
        np.testing.assert_allclose(together, alone, atol=1e-3)
