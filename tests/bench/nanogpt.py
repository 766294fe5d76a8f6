# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy", "torch"]
# ///
"""Train a GPT with nanoGPT's recipe for CPUs, as a reference for Session 4.

This is our own PyTorch code for the recipe that nanoGPT's README gives for a
laptop without a GPU (https://github.com/karpathy/nanoGPT, "I only have a
macbook"). The model has 4 layers, 4 heads, width 128 and context 64. It is
trained with 2,000 steps of AdamW on batches of 12, without dropout. Nothing is
compiled.

The argument is the path of the corpus. The program prints how many seconds the
training took, and then the loss on the last tenth of the text, in nats per
character.
"""

import math
import sys
import time
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

LAYERS, HEADS, WIDTH, CONTEXT, BATCH, STEPS = 4, 4, 128, 64, 12, 2000
RATE, LEAST, WARM_UP, DECAY, BETAS = 1e-3, 1e-4, 100, 0.1, (0.9, 0.99)


class Block(nn.Module):
    """A Transformer block; inputs and outputs are (batch, time, width)."""

    def __init__(self):
        super().__init__()
        self.norm_1 = nn.LayerNorm(WIDTH, bias=False)
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.mixed = nn.Linear(WIDTH, WIDTH, bias=False)
        self.norm_2 = nn.LayerNorm(WIDTH, bias=False)
        self.wide = nn.Linear(WIDTH, 4 * WIDTH, bias=False)
        self.narrow = nn.Linear(4 * WIDTH, WIDTH, bias=False)

    def forward(self, x):
        shape = (*x.shape[:2], HEADS, -1)
        qkv = self.qkv(self.norm_1(x)).split(WIDTH, dim=-1)
        q, k, v = (it.view(shape).transpose(1, 2) for it in qkv)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.mixed(mixed.transpose(1, 2).flatten(2))
        return x + self.narrow(F.gelu(self.wide(self.norm_2(x))))


class GPT(nn.Module):
    """Map tokens (batch, time) to logits (batch, time, vocabulary)."""

    def __init__(self, vocabulary):
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, WIDTH)
        self.places = nn.Embedding(CONTEXT, WIDTH)
        self.blocks = nn.Sequential(*(Block() for _ in range(LAYERS)))
        self.norm = nn.LayerNorm(WIDTH, bias=False)
        self.head = nn.Linear(WIDTH, vocabulary, bias=False)
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                last = name.endswith(("mixed.weight", "narrow.weight"))
                std = 0.02 / math.sqrt(2 * LAYERS) if last else 0.02
                nn.init.normal_(weight, std=std)
        self.head.weight = self.tokens.weight  # shared, as in GPT-2

    def forward(self, tokens):
        places = torch.arange(tokens.shape[1])
        x = self.blocks(self.tokens(tokens) + self.places(places))
        return self.head(self.norm(x))


def loss_of(model, windows):
    """Return the mean cross-entropy, in nats, of windows (batch, time + 1)."""
    logits = model(windows[:, :-1])
    return F.cross_entropy(logits.flatten(0, 1), windows[:, 1:].flatten())


def rate_at(step):
    """Return a step's learning rate: linear warm-up, then cosine decay."""
    if step < WARM_UP:
        return RATE * (step + 1) / (WARM_UP + 1)
    share = (step - WARM_UP) / (STEPS - WARM_UP)
    return LEAST + 0.5 * (RATE - LEAST) * (1 + math.cos(math.pi * share))


def main(path):
    """Train on the first nine tenths of a text; print the time and loss."""
    text = Path(path).read_text(encoding="utf-8")
    number = {character: i for i, character in enumerate(sorted(set(text)))}
    data = torch.tensor([number[character] for character in text])
    split = int(0.9 * len(data))
    torch.manual_seed(1337)
    model = GPT(len(number))
    groups = [
        {"params": [p for p in model.parameters() if p.dim() == 2]},
        {
            "params": [p for p in model.parameters() if p.dim() == 1],
            "weight_decay": 0,
        },
    ]
    adam = torch.optim.AdamW(groups, lr=RATE, betas=BETAS, weight_decay=DECAY)
    span = torch.arange(CONTEXT + 1)
    began = time.perf_counter()
    for step in range(STEPS):
        starts = torch.randint(split - CONTEXT - 1, (BATCH, 1))
        loss = loss_of(model, data[:split][starts + span])
        for group in adam.param_groups:
            group["lr"] = rate_at(step)
        adam.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adam.step()
    seconds = time.perf_counter() - began
    held_out = data[split:]
    windows = held_out[: len(held_out) // 65 * 65].view(-1, 65)
    with torch.no_grad():
        losses = [
            loss_of(model, it).item() * len(it) for it in windows.split(64)
        ]
    print(f"{seconds:.1f} {sum(losses) / len(windows):.4f}")


if __name__ == "__main__":
    main(sys.argv[1])
