"""Measuring: wrong-sequence rates on fresh examples (`rates`), the ledger and its tables (`ledger`)."""

from hamlib.evaluation.ledger import (
    PUBLISHED,
    ROWS,
    SEEDS,
    TABLE1_TASKS,
    TABLE2_TASKS,
    TESTS,
    draw_table,
    draw_tasks,
    ledger_rows,
    measure,
    published_rows,
    read_ledger,
    table_text,
    tasks_rows,
    write_ledger,
)
from hamlib.evaluation.rates import Rate, wrong_rate

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
    "published_rows",
    "read_ledger",
    "table_text",
    "tasks_rows",
    "write_ledger",
    "wrong_rate",
]
