"""Oracles that TensorFlow would train; they can be imported."""

from __future__ import annotations

from mbo_hub.compat.design_bench.oracles.tensorflow.fully_connected_oracle import (
    FullyConnectedOracle as FullyConnectedOracle,
)
from mbo_hub.compat.design_bench.oracles.tensorflow.lstm_oracle import LSTMOracle as LSTMOracle
from mbo_hub.compat.design_bench.oracles.tensorflow.resnet_oracle import (
    ResNetOracle as ResNetOracle,
)
from mbo_hub.compat.design_bench.oracles.tensorflow.transformer_oracle import (
    TransformerOracle as TransformerOracle,
)
