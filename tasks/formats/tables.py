"""Tables of numbers in Parquet, by Arrow itself: behind pandas it would be in no stage's key."""

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    import pandas as pd


def write_table(table: "pd.DataFrame", path: Path) -> None:
    """Write the columns of a table, not its index, as Parquet.

    Without the metadata that pandas would add: it depends on pandas' own options.
    """
    columns = {str(name): table[name].to_numpy() for name in table.columns}
    pq.write_table(pa.table(columns), path)


def read_table(path: Path) -> "pd.DataFrame":
    """Read a table that `write_table` wrote."""
    table: pd.DataFrame = pq.read_table(path).to_pandas()
    return table
