"""The pandera schema of a file of results: what its columns may hold, alone and together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mbo_hub import extras
from mbo_hub.dataset import schema
from mbo_hub.errors import InvalidFile
from mbo_hub.results.collection import COLUMNS, table_of
from mbo_hub.scoring.evaluate import BUDGET

if TYPE_CHECKING:
    import pandera.polars as pa
    import polars as pl
    import pyarrow as arrow

__all__ = ["of_table", "problems", "run_schema"]

STATUSES = ("failed", "scored")  # what waits for its oracle is not published
_FRACTIONS = ("invalid", "duplicate", "visible")
_AT_LEAST_0 = ("seed", "projected", "cpu_seconds", "wall_seconds", "scoring_seconds", "peak_mb",
               "novelty", "diversity")  # fmt: skip
_OF_SCORED = ("best", "median", "mean", "designs_sha256", "y")


def run_schema() -> pa.DataFrameSchema:
    """Describe the rows of a file of results."""
    import pandera.polars as pa
    import polars as pl

    kinds = {"string": pl.String, "int64": pl.Int64, "bool": pl.Boolean, "double": pl.Float64}
    checks = {
        "status": pa.Check.isin(STATUSES),
        "preset": pa.Check.str_matches(r"^[\w.+-]+$"),
        "method": pa.Check.str_matches(r"^[\w.+-]+$"),
        "task": pa.Check.str_matches(r"^[a-z0-9][a-z0-9_-]*$"),
        "designs_sha256": pa.Check.str_matches(r"^[0-9a-f]{64}$"),
        "budget": pa.Check.in_range(1, BUDGET),
        **{name: pa.Check.in_range(0, 1) for name in _FRACTIONS},
        **{name: pa.Check.ge(0) for name in _AT_LEAST_0},
    }
    empty = {"failure", *_FRACTIONS, *_OF_SCORED, "novelty", "diversity", "scoring_seconds",
             "best_raw", "median_raw", "mean_raw", "best_visible"}  # fmt: skip
    columns = {
        name: pa.Column(
            kinds.get(str(kind), pl.List(pl.Float64)), checks.get(name), nullable=name in empty
        )
        for name, kind in COLUMNS.items()
    }

    def together(name: str, holds: pl.Expr) -> pa.Check:
        def check(data: pa.PolarsData) -> pl.LazyFrame:
            return data.lazyframe.select(holds.alias(name))

        return pa.Check(check, name=name)

    scored = pl.col("status") == "scored"
    rules = {
        "a scored run has designs": scored == pl.col("designs_sha256").is_not_null(),
        "a failed run says why": scored == pl.col("failure").is_null(),
        "a score for each design": pl.col("designs").is_null()
        | (pl.col("designs").list.len() == pl.col("y").list.len()),
        "a prediction for each design": pl.col("predicted").is_null()
        | (pl.col("predicted").list.len() == pl.col("designs").list.len()),
        "no more designs than the budget": pl.col("y").is_null()
        | (pl.col("y").list.len() <= pl.col("budget")),
        "the median is at most the best": pl.col("best").is_null()
        | (pl.col("median") <= pl.col("best")),
    }
    return pa.DataFrameSchema(
        columns,
        checks=[together(name, holds) for name, holds in rules.items()],
        unique=["task", "method", "preset", "seed"],
        strict=False,
    )


def problems(raw: bytes, where: str) -> list[str]:
    """Validate a file of results.

    Args:
        raw: its content.
        where: what to call it.

    Returns:
        Everything that is wrong with it, one sentence each.

    Raises:
        MissingExtra: pandera or polars is not installed.
    """
    try:
        table = table_of(raw, where)
    except InvalidFile as error:
        return [str(error)]
    return of_table(table, where)


def of_table(table: arrow.Table, where: str) -> list[str]:
    """Validate a table of results, as `collection.table_of` reads it; `problems` says how."""
    extras.require("publish", "validating results", "pandera", "polars")
    return schema.problems(schema.frame(table, where), run_schema(), where)
