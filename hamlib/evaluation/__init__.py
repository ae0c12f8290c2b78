"""Measuring: wrong sequences, of fresh examples (`rates`) and odd ones (`odd`), the `ledger` and its `tables`."""

from hamlib.evaluation.ledger import (
    PUBLISHED,
    ROWS,
    SEEDS,
    TABLE1_TASKS,
    TABLE2_TASKS,
    TESTS,
    ledger_rows,
    measure,
    published_rows,
    read_ledger,
    tasks_rows,
    write_ledger,
)
from hamlib.evaluation.odd import measure_odd, stream_rows, wrong_odd
from hamlib.evaluation.rates import Rate, wrong_rate
from hamlib.evaluation.tables import draw_table, draw_tasks, table_text

__all__ = [
    "TABLE1_TASKS",
    "PUBLISHED",
    "ROWS",
    "SEEDS",
    "TESTS",
    "TABLE2_TASKS",
    "Rate",
    "draw_table",
    "draw_tasks",
    "ledger_rows",
    "measure",
    "measure_odd",
    "published_rows",
    "read_ledger",
    "stream_rows",
    "table_text",
    "tasks_rows",
    "write_ledger",
    "wrong_odd",
    "wrong_rate",
]
