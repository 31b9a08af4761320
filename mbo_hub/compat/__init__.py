"""Other benchmarks' interfaces on top of this one's tasks; nothing else in the package knows it."""
