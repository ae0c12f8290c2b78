"""Recipes that serve a measurement only: the same memory trained with soft attention, with REINFORCE, and with both."""

import dataclasses

from hamlib.recipes import RECIPES, Stage, grow

# Reverse with soft attention, in trees of eight leaves; then with REINFORCE.
REVERSE_EIGHT = dataclasses.replace(
    RECIPES["reverse-reinforce"], loss="binary_crossentropy", batch_size=50, stages=(Stage(8),), epochs=5
)
REVERSE_BOTH = dataclasses.replace(
    RECIPES["reverse-reinforce"], start=REVERSE_EIGHT, stages=grow(8, 16, 32, until=0.05)
)
REVERSE_SOFT = dataclasses.replace(REVERSE_EIGHT, stages=grow(2, 4, 8, 16, 32, until=0.05), epochs=20)
# Sort in the same way, and with REINFORCE alone.
SORT_EIGHT = dataclasses.replace(
    RECIPES["sort"],
    stages=(Stage(8, ((8, 8, 1),), until=5), Stage(8, ((8, 8, 8),), anywhere=True)),
    epochs=12,
    learning_rate=(0.004, 0.0002),
)
SORT_BOTH = dataclasses.replace(
    SORT_EIGHT,
    start=SORT_EIGHT,
    loss=dict(discount=0.9, entropy=(0.0001, 0.00001), samples=4),
    stages=grow(8, 16, 32, until=0.05),
    learning_rate=(0.001, 0.0001),
    epochs=20,
    steps=100,
)
SORT_REINFORCE = dataclasses.replace(SORT_BOTH, start=None, stages=grow(2, 4, 8, 16, 32, until=0.05))
# The priority queue with soft attention, told where to PUSH to; then with REINFORCE, told nothing.
QUEUE_PLACED = dataclasses.replace(
    RECIPES["priority-queue-sixteen"],
    loss="binary_crossentropy",
    inputs=("alike", "placed"),
    stages=(
        Stage(4, leaves=2, until=1),
        Stage(8, leaves=4, until=2),
        Stage(16, ((8, 16, 16), (16, 32, 32), (64, 16, 16))),
    ),
    learning_rate=(0.004, 0.0001),
    clip=0.1,
    epochs=60,
    steps=100,
)
QUEUE_BOTH = dataclasses.replace(
    RECIPES["priority-queue-sixteen"],
    start=QUEUE_PLACED,
    loss=dict(discount=0.95, entropy=(0.0005, 0.00001), samples=4),
    stages=(
        *grow(4, 8, 16, until=0.02, full=True),
        Stage(32, ((16, 32, 32), (32, 32, 32), (128, 32, 32))),
    ),
    learning_rate=(0.003, 0.0001),
    epochs=50,
    steps=100,
)
