"""Measuring: wrong-sequence rates on fresh examples (`rates`), the ledger and its tables (`ledger`)."""

from hamlib.evaluation.ledger import (
    FIVE,
    PUBLISHED,
    ROWS,
    SEEDS,
    TESTS,
    THREE,
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
    "FIVE",
    "PUBLISHED",
    "ROWS",
    "SEEDS",
    "TESTS",
    "THREE",
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
