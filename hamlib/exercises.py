"""The check cell of an exercise: it says what is missing until the exercise is solved."""

import contextlib


@contextlib.contextmanager
def check(exercise):
    """Run the assertions of an exercise and say whether it is solved; a notebook goes on either way.

    Args:
        exercise: its number, for instance ``"2.1"``.

    Example::

        with check("2.1"):
            assert parent(5) == 2, "the children of i are 2i and 2i + 1: which i has the child 5?"
    """
    try:
        yield
    except NotImplementedError:
        print(f"✗ Exercise {exercise}: nothing here yet. Replace the stub above and run both cells.")
    except Exception as error:
        print(f"✗ Exercise {exercise}: not yet. {type(error).__name__}: {error}")
    else:
        print(f"✓ Exercise {exercise}: solved.")
