"""From designs to a report that is its own receipt, and back: verification."""
