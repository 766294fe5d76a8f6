"""Session 4 keeps its promises for bad input, for a stop, and for many devices.

The code is the notebook's own: its cells that are tagged `for-solutions`.
"""

import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import jax
import numpy as np
import pytest
from exercises import tagged
from sessions import NOTEBOOKS, find_session, read_ipynb

pytestmark = pytest.mark.session("4")
CODE = tagged(read_ipynb(find_session("4")), "for-solutions")
WEIGHTS = NOTEBOOKS / "data" / "basic_gpt.safetensors"
# Session 4 asks for it: before any other test of this process computes something.
jax.config.update("jax_num_cpu_devices", 2)
# Prints how many devices there are, and what five steps end at on one of them and
# on all; None for one where there are more processes, which share no device.
ON_DEVICES = """
import json, sys, jax
jax.config.update("jax_num_cpu_devices", {devices})
if {processes} > 1:
    jax.distributed.initialize("127.0.0.1:{port}", {processes}, {number})
exec(sys.stdin.read())
one = jax.devices()[0]
alone = five_steps(one, one) if {processes} == 1 else None
found = [jax.device_count(), alone, five_steps(copied, divided)]
print(json.dumps(found, default=lambda array: array.tolist()))
"""
# The spread that was measured is 3e-6 for losses and 5e-6 for parameters.
ROUNDING = 1e-4
# Trains a tiny model for so many steps, or goes on; then saves what came out.
TRAINING = """
import sys
from pathlib import Path
exec(sys.stdin.read())
model = train_gpt(tiny, Path({folder!r}), steps={steps})
save_weights(Path({saved!r}), model)
"""
STEPS = 400


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    """Return the names that the session's cells define."""
    names, here = {"__name__": "session"}, os.getcwd()
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
    assert_same_parameters(session, at_once, in_two)


def checkpoint_files(folder):
    """Return the content of all files in a folder, by their names."""
    return {it: it.read_bytes() for it in folder.rglob("*") if it.is_file()}


@pytest.mark.parametrize(
    ("config", "options"),
    [
        ({"width": 64, "layers": 1}, {"steps": 200}),
        ({"width": 32, "layers": 1, "heads": 2}, {"steps": 200}),
        ({"width": 32, "layers": 1}, {"steps": 300}),
        ({"width": 32, "layers": 1}, {"steps": 100}),
        ({"width": 32, "layers": 1}, {"steps": 200, "rate": 0.01}),
    ],
    ids=["width", "heads", "more steps", "already past them", "rate"],
)
def test_a_checkpoint_of_another_plan_is_refused_and_left_as_it_is(
    session, tmp_path, config, options
):
    train = session["train_gpt"]
    train(session["tiny"], tmp_path, steps=200, stop=100)
    if options["steps"] == 100:
        train(session["tiny"], tmp_path, steps=200)
    before = checkpoint_files(tmp_path)
    with pytest.raises(ValueError, match=r"not of .*: choose another folder"):
        train(session["Config"](**config), tmp_path, **options)
    assert checkpoint_files(tmp_path) == before


@pytest.mark.parametrize("part", ["plan", "state"])
def test_a_checkpoint_cut_short_costs_its_own_steps_alone(
    session, tmp_path, part
):
    train, tiny = session["train_gpt"], session["tiny"]
    whole = train(tiny, tmp_path, steps=300, stop=200)
    for path, content in checkpoint_files(tmp_path / "200" / part).items():
        path.write_bytes(content[: len(content) // 2])
    before = checkpoint_files(tmp_path)
    with pytest.raises(ValueError, match=r"Delete \S+200 to go on") as told:
        train(tiny, tmp_path, steps=300)
    assert checkpoint_files(tmp_path) == before
    # Do what the sentence says.
    (folder,) = re.findall(r"Delete (\S+) to go on", str(told.value))
    shutil.rmtree(folder)
    assert_same_parameters(
        session, whole, train(tiny, tmp_path, steps=300, stop=200)
    )


def assert_same_parameters(session, one, other):
    leaves = (jax.tree.leaves(session["nnx"].state(it)) for it in (one, other))
    for a, b in zip(*leaves, strict=True):
        np.testing.assert_array_equal(a, b)


def train_in_a_process(folder, saved):
    """Start a process that trains a tiny model, or goes on, and then saves it."""
    program = TRAINING.format(
        folder=str(folder), saved=str(saved), steps=STEPS
    )
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", program],
        cwd=NOTEBOOKS,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    process.stdin.write(CODE)
    process.stdin.close()
    return process


def test_a_training_that_was_killed_goes_on_where_it_was(session, tmp_path):
    folder, saved = tmp_path / "killed", tmp_path / "saved.safetensors"
    process = train_in_a_process(folder, saved)
    with process:
        for line in process.stdout:
            if " 100 steps" in line:
                process.kill()  # at whatever it is doing just now
                break
    assert process.returncode == -signal.SIGKILL, "It ended by itself."
    assert not saved.exists()
    done = [int(it.name) for it in folder.iterdir() if it.name.isdigit()]
    assert 100 <= max(done) < STEPS

    with train_in_a_process(folder, saved) as process:
        said = process.stdout.read()
        errors = process.stderr.read()
    assert process.returncode == 0, errors
    assert " 100 steps" not in said, "It has begun anew."
    resumed, at_once = (
        session["GPT"](session["tiny"], session["nnx"].Rngs(seed))
        for seed in (1, 2)
    )
    session["load_weights"](saved, resumed)
    at_once = session["train_gpt"](
        session["tiny"], tmp_path / "at once", steps=STEPS
    )
    assert_same_parameters(session, resumed, at_once)


def test_weights_that_are_broken_are_refused(session, tmp_path):
    load, gpt = session["load_weights"], session["GPT"]
    config, rngs = session["Config"], session["nnx"].Rngs
    short = tmp_path / "short.safetensors"
    short.write_bytes(WEIGHTS.read_bytes()[:1_000_000])
    with pytest.raises(ValueError, match="is broken: fetch it anew"):
        load(short, gpt(config(), rngs(0)))


@pytest.mark.parametrize(
    "other",
    [{"width": 64}, {"layers": 3}, {"layers": 5}, {"heads": 2}],
    ids=str,
)
def test_weights_of_another_model_are_refused_before_anything_is_written(
    session, other
):
    nnx = session["nnx"]
    model = session["GPT"](session["Config"](**other), nnx.Rngs(0))
    before = jax.tree.map(np.array, nnx.state(model))
    with pytest.raises(ValueError, match=r"holds Config\(.* for this corpus"):
        session["load_weights"](WEIGHTS, model)
    for a, b in zip(
        jax.tree.leaves(before), jax.tree.leaves(nnx.state(model)), strict=True
    ):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("fault", ["label", "characters", "names"])
def test_weights_with_another_label_are_refused(
    session, tmp_path, monkeypatch, fault
):
    model = session["GPT"](session["tiny"], session["nnx"].Rngs(0))
    path = tmp_path / "weights.safetensors"
    session["save_weights"](path, model)
    session["load_weights"](path, model)  # as it is, it is welcome
    arrays, label = session["read_weights"](path)
    if fault == "label":
        label = None
    elif fault == "characters":
        label["characters"] = label["characters"][::-1]
    else:
        arrays["more"] = np.zeros(1)
    session["save_file"](arrays, path, label)
    with pytest.raises(ValueError, match="fetch another"):
        session["load_weights"](path, model)


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

    def disk_full(arrays, beside, label):
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


def ends_of(process, devices):
    """Return what a process prints: how it ends on one and on all devices.

    Raises AssertionError with the process' own words where it fails.
    """
    code = CODE.replace('devices", 2', f'devices", {devices}')
    said, errors = process.communicate(code, timeout=300)
    assert said, errors
    return json.loads(said.splitlines()[-1])


def assert_alike(one, other):
    """Assert that two trainings had the same losses, and end at the same."""
    losses, parameters = one
    assert losses[-1] < losses[0] - 0.5, "The five steps moved nothing."
    np.testing.assert_allclose(other[0], losses, rtol=0, atol=ROUNDING)
    for a, b in zip(other[1], parameters, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=ROUNDING)


def test_eight_devices_end_where_one_does():
    count, alone, together = ends_of(start(devices=8), devices=8)
    assert count == 8
    assert_alike(alone, together)


def test_two_processes_end_where_one_does(session):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    both = [start(4, 2, number, port) for number in (0, 1)]
    # At the same time: each waits for the other.
    with ThreadPoolExecutor() as pool:
        found = list(pool.map(lambda it: ends_of(it, devices=4), both))
    one = jax.devices()[0]
    alone = session["five_steps"](one, one)
    for count, _, together in found:
        assert count == 8
        assert_alike(alone, together)
