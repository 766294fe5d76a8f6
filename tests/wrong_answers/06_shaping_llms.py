# These are typical mistakes in the exercises of Session 6. The title of each
# cell gives the number of an exercise and the words that the check must print
# for this mistake. The cells run after the session, so they can use the
# session's variables.

# %% 1: this is one block
answer_1 = 8 * (512 + 256 + 810 + 469)

# %% 1: this is rank 1
answer_1 = size_of(adapters(1))

# %% 1: only A or only B
answer_1 = 4 * 8 * (128 + 128 + 128 + 341)

# %% 1: these are the old weights
answer_1 = size_of([w for w in flat.values() if w.ndim == 2]) - 2 * 68 * 128

# %% 1: rank * (inputs + outputs)
answer_1 = 4 * 8 * 128 * 128

# %% 2: left out beta
answer_2 = 1 / (1 + np.exp(-7))

# %% 2: left out the start
answer_2 = 1 / (1 + np.exp(-0.1 * (-25 - -30)))

# %% 2: that the second is preferred
answer_2 = 1 / (1 + np.exp(0.7))

# %% 2: the loss of the pair
answer_2 = np.log(1 + np.exp(-0.7))

# %% 2: now apply the sigmoid
answer_2 = 0.7

# %% 2: writing down both rewards
answer_2 = 0.5

# %% 3: a line full of sirs earns more
answer_3 = courtesy


# %% 3: four different words earn more
def answer_3(answer):
    return len({"sir", "lord", "lady", "madam"} & set(words_of(answer)))


# %% 3: should earn more than a plain one
def answer_3(answer):
    return len(words_of(answer))


# %% 3: a line of one word earns as much
def answer_3(answer):
    return min(courtesy(answer), 1)


# %% 3: a line without an end earns as much
def answer_3(answer):
    return min(courtesy(answer), 1) if len(words_of(answer)) > 3 else 0


# %% 3: four different words earn as much
def answer_3(answer):
    is_complete = answer.endswith((".\n\n", "!\n\n", "?\n\n"))
    is_long = len(words_of(answer)) > 3
    return min(courtesy(answer), 1) if is_complete and is_long else 0


# %% 3: please give a function
answer_3 = courtesy("CELIA.\nMy lord, he comes.\n\n")


# %% 3: your function fails for one of the answers
def answer_3(answer):
    _, line = answer.split(".\n")  # some answers have no name
    return min(courtesy(line), 1)


# %% 4: twice as many
answer_4 = 2 * len(held_out)

# %% 4: this is for ±0.01
answer_4 = (2 * 1.96 * wins(sft_answers).std() / 0.02) ** 2

# %% 4: this is for ±0.04
answer_4 = (1.96 * wins(sft_answers).std() / 0.04) ** 2

# %% 4: this is the square root of the number
answer_4 = 1.96 * wins(sft_answers).std() / 0.02

# %% 4: the interval takes 1.96 of them
answer_4 = (wins(sft_answers).std() / 0.02) ** 2

# %% 4: but not the standard deviation
answer_4 = 1.96**2 * wins(sft_answers).std() / 0.02**2

# %% 4: √n for n
answer_4 = 100

# %% 5: it still forgets
answer_5 = sft

# %% 5: so train it longer
answer_5 = base

# %% 5: the parameters of a GPT
answer_5 = flat

# %% 5: its loss is not a number
answer_5 = jax.tree.map(lambda it: it * jnp.nan, base)
