"""Test Session 4 with bad input, interruptions, and many devices.

The code under test comes from the notebook's cells tagged `for-solutions`.
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
from safetensors.numpy import load_file, save_file
from sessions import NOTEBOOKS, find_session, read_ipynb

pytestmark = pytest.mark.session("4")
CODE = tagged(read_ipynb(find_session("4")), "for-solutions")
WEIGHTS = NOTEBOOKS / "data" / "basic_gpt.safetensors"
# Session 4 needs two devices. They must be set up before any test in this
# process computes anything.
jax.config.update("jax_num_cpu_devices", 2)
# This script prints the number of devices and the results of five training
# steps, on one device and on all devices. If there are several processes, they
# have no device in common, so the result for one device is None.
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
# The measured differences are up to 3e-6 for losses and 5e-6 for parameters.
ROUNDING = 1e-4
# This script trains a tiny model for some steps, or resumes its training, and
# then saves the model.
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
    """Return the functions and values that the session's cells define."""
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
    """Return a dict from the paths of a folder's files to their contents."""
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
    # Follow the advice in the error message.
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
    """Start a process that trains a tiny model and saves it.

    If the folder contains a checkpoint, the process resumes from it.
    """
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
                process.kill()  # at an arbitrary moment
                break
    assert process.returncode == -signal.SIGKILL, "The process was not killed."
    assert not saved.exists()
    done = [int(it.name) for it in folder.iterdir() if it.name.isdigit()]
    assert 100 <= max(done) < STEPS

    with train_in_a_process(folder, saved) as process:
        said = process.stdout.read()
        errors = process.stderr.read()
    assert process.returncode == 0, errors
    assert " 100 steps" not in said, "Training started over."
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
    session["load_weights"](path, model)  # an unchanged file is accepted
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
        "The weights have changed: update the model card in data/README.md."
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
    """Start a process that runs five training steps on simulated devices."""
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
    """Return the number of devices and the results that a process prints.

    If the process fails, raise AssertionError with its error message.
    """
    code = CODE.replace('devices", 2', f'devices", {devices}')
    said, errors = process.communicate(code, timeout=300)
    assert said, errors
    return json.loads(said.splitlines()[-1])


def assert_alike(one, other):
    """Assert that two training runs agree, and that the loss fell."""
    losses, parameters = one
    assert losses[-1] < losses[0] - 0.5, (
        "The loss hardly fell in five steps, so the model learned nothing."
    )
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
    # Send input to both processes at the same time, because each waits for the
    # other.
    with ThreadPoolExecutor() as pool:
        found = list(pool.map(lambda it: ends_of(it, devices=4), both))
    one = jax.devices()[0]
    alone = session["five_steps"](one, one)
    for count, _, together in found:
        assert count == 8
        assert_alike(alone, together)


# The next tests use a very small model in GPT-2's published format.
GPT2 = {"n_embd": 24, "n_layer": 2, "n_head": 3, "n_positions": 40}
MERGES = ["h e", "l l", "he ll", "\u0120 w", "\u0120w o", "hell o"]


def byte_symbols():
    """Return the printable character that GPT-2 uses for each byte."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [it for it in range(256) if it not in shown]
    symbols = {it: chr(it) for it in shown}
    return symbols | {it: chr(256 + i) for i, it in enumerate(hidden)}


@pytest.fixture(scope="module")
def gpt2_folder(tmp_path_factory):
    """Write a small random model and a tokenizer in GPT-2's format."""
    folder, rng = tmp_path_factory.mktemp("gpt2"), np.random.default_rng(0)
    pieces = [
        *byte_symbols().values(),
        *(it.replace(" ", "") for it in MERGES),
    ]
    vocab = {it: i for i, it in enumerate(pieces)}
    (folder / "vocab.json").write_text(json.dumps(vocab), encoding="utf-8")
    merges = "\n".join(["#version: 0.2", *MERGES])
    (folder / "merges.txt").write_text(merges + "\n", encoding="utf-8")
    (folder / "config.json").write_text(json.dumps(GPT2), encoding="utf-8")

    width = GPT2["n_embd"]
    shapes = {"wte": (len(vocab), width), "wpe": (GPT2["n_positions"], width)}
    shapes = {f"{name}.weight": shape for name, shape in shapes.items()}
    layers = {"attn.c_attn": (width, 3 * width), "attn.c_proj": (width, width)}
    layers |= {
        "mlp.c_fc": (width, 4 * width),
        "mlp.c_proj": (4 * width, width),
    }
    layers |= {"ln_1": (width,), "ln_2": (width,)}
    named = {"ln_f": (width,)}
    for i in range(GPT2["n_layer"]):
        named |= {f"h.{i}.{name}": it for name, it in layers.items()}
        # GPT-2's causal mask is published together with the weights.
        shapes[f"h.{i}.attn.bias"] = (1, 1, 40, 40)
    for name, shape in named.items():
        shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[-1:]}
    weights = {
        name: rng.normal(0, 0.3, shape).astype(np.float32)
        for name, shape in shapes.items()
    }
    save_file(weights, folder / "model.safetensors")
    return folder


def gpt2_in_numpy(weights, tokens):
    """Compute GPT-2's logits without any neural-net library."""

    def norm(x, name):
        x = x - x.mean(axis=-1, keepdims=True)
        x = x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + 1e-5)
        return x * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def dense(x, name):
        return x @ weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def attend(x, name):
        mixed = []
        for head in range(GPT2["n_head"]):
            size = GPT2["n_embd"] // GPT2["n_head"]
            columns = slice(head * size, (head + 1) * size)
            q, k, v = (
                it[:, columns]
                for it in np.split(dense(x, f"{name}.c_attn"), 3, axis=1)
            )
            scores = q @ k.T / np.sqrt(size)
            scores[np.triu_indices(len(x), 1)] = -np.inf
            scores = np.exp(scores - scores.max(axis=1, keepdims=True))
            mixed.append(scores / scores.sum(axis=1, keepdims=True) @ v)
        return dense(np.hstack(mixed), f"{name}.c_proj")

    def think(x, name):
        x = dense(x, f"{name}.c_fc")
        bend = np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))
        return dense(x * (1 + bend) / 2, f"{name}.c_proj")

    x = weights["wte.weight"][tokens] + weights["wpe.weight"][: len(tokens)]
    for i in range(GPT2["n_layer"]):
        x = x + attend(norm(x, f"h.{i}.ln_1"), f"h.{i}.attn")
        x = x + think(norm(x, f"h.{i}.ln_2"), f"h.{i}.mlp")
    return norm(x, "ln_f") @ weights["wte.weight"].T


def bpe_by_hand(text, vocab):
    """Return a text's token ids, merging its bytes in the order of MERGES."""
    symbols, numbers = byte_symbols(), []
    for word in re.findall(r" ?[a-z]+| ?[^\sa-z]+|\s+", text):
        parts = [symbols[it] for it in word.encode("utf-8")]
        for merge in MERGES:
            i = 0
            while i + 1 < len(parts):
                if f"{parts[i]} {parts[i + 1]}" == merge:
                    parts[i : i + 2] = [parts[i] + parts[i + 1]]
                i += 1
        numbers += [vocab[it] for it in parts]
    return numbers


def test_gpt2_is_read_from_its_published_format(session, gpt2_folder):
    model, tokenizer = session["load_gpt2"](gpt2_folder)
    text = "hello world, hell yes; élan"
    tokens = tokenizer.encode(text).ids
    vocab = json.loads((gpt2_folder / "vocab.json").read_text("utf-8"))
    assert tokens == bpe_by_hand(text, vocab)
    assert tokens[0] == vocab["hello"]
    assert tokenizer.decode(tokens) == text

    weights = load_file(gpt2_folder / "model.safetensors")
    weights = {it: array.astype(float) for it, array in weights.items()}
    with jax.default_matmul_precision("highest"):
        logits = model(np.array([tokens]))[0]
    wanted = gpt2_in_numpy(weights, tokens)
    assert np.ptp(wanted) > 1
    np.testing.assert_allclose(logits, wanted, rtol=0, atol=1e-3)
