"""The published format of a task: `task.json` and parquet, written, read, checked."""
