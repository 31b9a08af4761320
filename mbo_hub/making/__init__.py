"""The maintainers' workshop: raw file → parquet → ONNX → card."""
