"""Odd inputs, of several kinds for each task: what somebody would think of, and random ones hardly ever are.

Each function returns ``{kind: (symbols[k, m, b], lengths[k])}``, ints, what stands past a length being whatever it is.
"""

import numpy as np

COUNT = 250  # of a kind; fewer where there are not so many


def of_numbers(n, rng, key, value):
    """Of symbols that are a key and a value: the keys are odd, the values random.

    Args:
        n, rng: as in `Task.odd_kinds`.
        key, value: their bits.
    """
    whole, place = (COUNT, n), np.arange(n)
    low = np.arange(COUNT)[:, None] % (2**key - 1)
    drawn, other = rng.integers(0, 2**key, whole), rng.integers(0, 2**key, (COUNT, 1))
    keys = {
        "all equal": np.broadcast_to(low, whole),
        "one different": np.where(place == rng.integers(0, n, (COUNT, 1)), other, low),
        "last one less": low + (place < n - 1),
        "last one more": low + (place == n - 1),
        "neighbours across a carry": _across_a_carry(rng, key, whole),
        "sorted": np.sort(drawn),
        "reversed": np.sort(drawn)[:, ::-1],
        "two by turns": np.where(place % 2, other, low),
        "lowest and highest": (2**key - 1) * rng.integers(0, 2, whole),
    }
    kinds = {kind: _full(_pairs(rng, numbers, key, value)) for kind, numbers in keys.items()}
    each, few = np.arange(1, n + 1), np.arange(COUNT) % 4 + 1
    return kinds | {
        "all zeros": (np.zeros((n, n, key + value), int), each),
        "all ones": (np.ones((n, n, key + value), int), each),
        "few in a large tree": (_pairs(rng, drawn, key, value), few),
    }


def of_search(n, rng):
    """Sorted keys, and which of them is asked for, are odd; the values are random."""
    pairs, place = (COUNT, n - 1), np.arange(n - 1)
    low = np.arange(COUNT) % 31
    same, drawn = np.broadcast_to(low[:, None], pairs), np.sort(rng.integers(0, 32, pairs))
    near, any_ = np.sort(_across_a_carry(rng, 5, pairs)), rng.integers(0, n - 1, COUNT)
    first_less, last_more = same + (place > 0), same + (place == n - 2)
    asked = {
        "all equal": (same, low),
        "first one less, asked for": (first_less, low),
        "first one less, the others asked for": (first_less, low + 1),
        "last one more, asked for": (last_more, low + 1),
        "last one more, the others asked for": (last_more, low),
        "neighbours across a carry": (near, near[np.arange(COUNT), any_]),
        "the smallest asked for": (drawn, drawn[:, 0]),
        "the largest asked for": (drawn, drawn[:, -1]),
    }
    kinds = {kind: _full(_asked(_pairs(rng, keys, 5, 5), query)) for kind, (keys, query) in asked.items()}
    each, m = np.arange(2, n + 1), np.arange(COUNT) % 3 + 2
    ones, few = np.ones((n - 1, n, 10), int), _pairs(rng, np.sort(rng.integers(0, 32, (COUNT, n))), 5, 5)
    ones[np.arange(n - 1), each - 1, 5:] = 0
    few[np.arange(COUNT), m - 1] = few[np.arange(COUNT), any_ % (m - 1)] * (np.arange(10) < 5)
    return kinds | {
        "all zeros": (0 * ones, each),
        "all ones": (ones, each),
        "few in a large tree": (few, m),
    }


def of_merge(n, rng, known):
    """Which of the known priorities there are, or which of the two sequences has which, is odd."""
    whole, place, last = (COUNT, n), np.arange(n), len(known) - n
    by_chance = rng.integers(0, 2, whole) > 0
    spread = np.sort(np.argsort(rng.random((COUNT, len(known))))[:, :n])
    one = place == rng.integers(0, n, (COUNT, 1))
    middle = np.clip(np.searchsorted(known, 512) - rng.integers(1, n, (COUNT, 1)), 0, last)
    ranks = {  # which priorities, in order; and which of them are in the first sequence
        "consecutive priorities": (rng.integers(0, last + 1, (COUNT, 1)) + place, by_chance),
        "consecutive, across a carry": (middle + place, by_chance),
        "the lowest": (0 * spread + place, by_chance),
        "the highest": (last + 0 * spread + place, by_chance),
        "one in the first": (spread, one),
        "one in the second": (spread, ~one),
        "by turns": (spread, np.broadcast_to(place % 2 == 0, whole)),
        "all of the second before the first": (spread, np.broadcast_to(place >= n // 2, whole)),
        "nothing to merge": (spread, np.broadcast_to(True, whole)),
    }
    kinds = {}
    for kind, (rank, first) in ranks.items():
        order = np.argsort(~first, axis=1, kind="stable")
        kinds[kind] = _full(_pairs(rng, known[np.take_along_axis(rank, order, axis=1)], 10, 5))
    few = _pairs(rng, known[np.argsort(rng.random((COUNT, len(known))))[:, :n]], 10, 5)
    return kinds | {"two in a large tree": (few, np.full(COUNT, 2))}


def of_add(n, rng):
    """Two numbers whose sum carries far, or not at all, or that are few digits in a large tree."""
    most = n // 2 - 1
    lengths = range(1, most + 1)

    def drawn():
        return rng.integers(0, 2, (COUNT, most))

    def carrying(digit):
        return np.concatenate([[1], digit[1:]]), np.concatenate([[1], 1 - digit[1:]])

    turns = np.arange(most) % 2
    numbers = {
        "all zeros": [(np.zeros(k, int), np.zeros(k, int)) for k in lengths],
        "all ones": [(np.ones(k, int), np.ones(k, int)) for k in lengths],
        "longest carry": [(np.arange(k) == 0, np.ones(k, int))[:: 1 - 2 * swap] for k in lengths for swap in (0, 1)],
        "a carry through all digits": [carrying(digit) for digit in drawn()],
        "all digits of the sum are 1": [(digit, 1 - digit) for digit in drawn()],
        "a number and zero": [(digit, 0 * digit)[:: 1 - 2 * (row % 2)] for row, digit in enumerate(drawn())],
        "twice a number": [(digit, digit) for digit in drawn()],
        "digits by turns": [(a, b) for a in (turns, 1 - turns) for b in (turns, 1 - turns)],
        "one digit each": [(np.arange(most) == i, np.arange(most) == j) for i, j in rng.integers(0, most, (COUNT, 2))],
        "a power of two, twice": [(np.arange(most) == i,) * 2 for i in range(most)],
        "few digits in a large tree": [
            (a >> np.arange(k) & 1, b >> np.arange(k) & 1) for k in (1, 2, 3) for a, b in np.ndindex(2**k, 2**k)
        ],
    }
    kinds = {}
    for kind, pairs in numbers.items():
        symbols = np.zeros((len(pairs), n, 4), int)
        for row, (a, b) in zip(symbols, pairs, strict=True):
            text = np.concatenate([a, [2], b, [3]])
            row[np.arange(len(text)), text] = 1
        kinds[kind] = symbols, np.array([2 * len(a) + 2 for a, _ in pairs])
    return kinds


def of_operations(n, rng, priorities):
    """Of a data structure: when what is pushed, and with which priority, is odd; values are random.

    Args:
        n, rng: as in `Task.odd_kinds`.
        priorities: how many there are; 0 where there are none.
    """
    half, place = n // 2, np.arange(n)
    orders = {
        "fill, then empty": place >= half,
        "by turns": place % 2 > 0,
        "two by turns": place // 2 % 2 > 0,
        "fill and empty half, twice": place // (n // 4) % 2 > 0,
        "fill half, by turns, then empty": np.where((place < n // 4) | (place >= n - n // 4), place >= half, place % 2),
    }
    some = rng.permuted(np.tile(np.arange(priorities or n), (COUNT, 1)), axis=1)[:, :half]  # of each push, in order

    def operations(pops, ranks=some, values=None):
        pushes = np.cumsum(~pops.astype(bool)) - 1
        values = rng.integers(0, 32, (len(ranks), n)) if values is None else values
        numbers = np.concatenate([_bits(ranks[:, pushes], 7 * (priorities > 0)), _bits(values, 5)], axis=-1)
        pops = np.broadcast_to(pops[:, None], (len(ranks), n, 1)).astype(int)
        return _full(np.concatenate([pops, numbers * (1 - pops)], axis=-1))

    full = orders["fill, then empty"]
    kinds = {kind: operations(pops) for kind, pops in orders.items()}
    kinds["all values equal"] = operations(full, some[:32], np.tile(np.arange(32)[:, None], n))
    if not priorities:
        return kinds
    in_a_row = rng.integers(0, priorities - half + 1, (COUNT, 1)) + np.arange(half)
    lowest = np.tile(np.arange(half), (COUNT, 1))
    return kinds | {
        "ascending": operations(full, np.sort(some)),
        "descending": operations(full, np.sort(some)[:, ::-1]),
        "consecutive": operations(full, rng.permuted(in_a_row, axis=1)),
        "consecutive, ascending": operations(full, in_a_row),
        "consecutive, descending": operations(full, in_a_row[:, ::-1]),
        "the lowest": operations(full, rng.permuted(lowest, axis=1)),
        "the highest": operations(full, rng.permuted(priorities - 1 - lowest, axis=1)),
    }


def _bits(numbers, width):
    """``[..., width]``, the highest bit first."""
    return numbers[..., None] >> np.arange(width - 1, -1, -1) & 1


def _pairs(rng, keys, key, value):
    """Symbols of these keys and of random values."""
    return np.concatenate([_bits(keys, key), rng.integers(0, 2, (*keys.shape, value))], axis=-1)


def _asked(pairs, query):
    """Pairs, and then the key that is asked for."""
    last = np.concatenate([_bits(query, 5), np.zeros((len(query), 5), int)], axis=-1)
    return np.concatenate([pairs, last[:, None]], axis=1)


def _across_a_carry(rng, width, shape):
    """In each row two neighbours, such as 7 and 8 or 15 and 16, which differ in all of their last bits."""
    return 2 ** (np.arange(shape[0])[:, None] % (width - 1) + 1) - 1 + rng.integers(0, 2, shape)


def _full(symbols):
    return symbols, np.full(len(symbols), symbols.shape[1])
