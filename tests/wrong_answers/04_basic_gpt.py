# These are typical mistakes in the exercises of Session 4. The title of each
# cell gives the number of an exercise and the words that the check must print
# for this mistake. The cells run after the session, so they can use the
# session's variables.


def triples_from(places, start=1.0):
    counts = np.full((vocab,) * 3, start)
    np.add.at(counts, places, 1)
    return counts


places_4 = train_tokens[:-2], train_tokens[1:-1], train_tokens[2:]

# %% 1: change both its width and its layers
answer_1 = params_of(Config())

# %% 1: one of the two is still ours
answer_1 = params_of(Config(width=768))

# %% 1: these are the bytes
answer_1 = 4 * params_of(Config(width=768, layers=12))

# %% 1: what does `params_of` say
answer_1 = 12 * 768**2

# %% 1: should be one number
answer_1 = Config(width=768, layers=12)

# %% 2: too hot
answer_2 = 1.0

# %% 2: too cold
answer_2 = 0.1

# %% 2: an entropy of one bit
low, high = 0.01, 10.0
for _ in range(40):
    answer_2 = (low + high) / 2
    probs = heated(np.array([3.0, 2.5, 2.0, 1.0, 0.0, -1.0]), answer_2)
    bits = -(probs * np.log2(probs + 1e-300)).sum()
    low, high = (low, answer_2) if bits > 1 else (answer_2, high)

# %% 2: one number above zero
answer_2 = -0.7

# %% 2: one number
answer_2 = heated


# %% 3: has to sum to 1 again
def answer_3(probs, p):
    return np.where(probs >= p * probs.max(), probs, 0)


# %% 3: is your threshold p itself
def answer_3(probs, p):
    return (
        np.where(probs >= p, probs, 0) / np.where(probs >= p, probs, 0).sum()
    )


# %% 3: exactly at the threshold
def answer_3(probs, p):
    return (
        np.where(probs > p * probs.max(), probs, 0)
        / np.where(probs > p * probs.max(), probs, 0).sum()
    )


# %% 3: is your threshold p itself
answer_3 = top_p


# %% 3: it raises
def answer_3(probs):
    return probs


# %% 3: without calling it
answer_3 = top_k(np.array([0.1, 0.6, 0.3]), 2)

# %% 4: did you count in the held-out text
counts_4 = np.ones((vocab,) * 3)
np.add.at(counts_4, (tokens[:-2], tokens[1:-1], tokens[2:]), 1)
counts_4 += 30 * bigram[None]
answer_4 = counts_4 / counts_4.sum(axis=2, keepdims=True)

# %% 4: rare pairs need more help
counts_4 = triples_from(places_4)
answer_4 = counts_4 / counts_4.sum(axis=2, keepdims=True)

# %% 4: makes the loss infinite
counts_4 = triples_from(places_4, start=0)
counts_4[counts_4.sum(axis=2) == 0] = 1
answer_4 = counts_4 / counts_4.sum(axis=2, keepdims=True)

# %% 4: divide each row
answer_4 = triples_from(places_4)

# %% 4: 0 / 0
with np.errstate(invalid="ignore"):
    counts_4 = triples_from(places_4, start=0)
    answer_4 = counts_4 / counts_4.sum(axis=2, keepdims=True)

# %% 4: does it depend on a
answer_4 = np.tile(bigram, (vocab, 1, 1))

# %% 4: over c
counts_4 = np.ones((vocab,) * 3)
answer_4 = counts_4 / counts_4.sum()

# %% 4: in the order a, b, c
counts_4 = triples_from(places_4[::-1], start=0.1)
answer_4 = counts_4 / counts_4.sum(axis=2, keepdims=True)

# %% 4: a table of shape
answer_4 = bigram


# %% 5: keys, and what else
def answer_5(config, length, sharing):
    return config.layers * length * config.width // sharing * 4


# %% 5: did you forget the bytes
def answer_5(config, length, sharing):
    return 2 * config.layers * length * config.width // sharing


# %% 5: the heads divide the width
def answer_5(config, length, sharing):
    return cache_bytes(config.layers, config.heads * config.width, length)


# %% 5: another width or depth
def answer_5(config, length, sharing):
    return cache_bytes(4, config.width, length) // sharing


# %% 5: goes on growing
def answer_5(config, length, sharing):
    places = min(length, CONTEXT)
    return cache_bytes(config.layers, config.width, places) // sharing


# %% 5: what changes if two heads share
def answer_5(config, length, sharing):
    return cache_bytes(config.layers, config.width, length)


# %% 5: one key and one value in common
def answer_5(config, length, sharing):
    return cache_bytes(config.layers, config.width, length) // sharing**2


# %% 5: is there a return
def answer_5(config, length, sharing):
    cache_bytes(config.layers, config.width, length) // sharing


# %% 5: it raises
def answer_5(config):
    return cache_bytes(config.layers, config.width, 1)


# %% 5: the function itself
answer_5 = 1_048_576

# %% 6: it has to be below 2.03
answer_6 = GPT(Config(width=32, layers=2), nnx.Rngs(0))

# %% 6: only 30,000 are allowed
answer_6 = GPT(Config(), nnx.Rngs(0))

# %% 6: this is not a model
answer_6 = GPT

# %% 6: it should give logits
answer_6 = nnx.Embed(vocab, 8, rngs=nnx.Rngs(0))


# %% 6: mask them
class Looking(nnx.Module):
    def __init__(self, rngs):
        self.embed = nnx.Embed(vocab, vocab, rngs=rngs)

    def __call__(self, tokens):
        return self.embed(jnp.roll(tokens, -1, axis=1))


answer_6 = Looking(nnx.Rngs(0))
