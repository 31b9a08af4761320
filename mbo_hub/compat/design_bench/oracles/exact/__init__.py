"""Oracles that define the objective, one module each."""

from __future__ import annotations

from mbo_hub.compat.design_bench.oracles.exact.ant_morphology_oracle import (
    AntMorphologyOracle as AntMorphologyOracle,
)
from mbo_hub.compat.design_bench.oracles.exact.cifar_nas_oracle import (
    CIFARNASOracle as CIFARNASOracle,
)
from mbo_hub.compat.design_bench.oracles.exact.dkitty_morphology_oracle import (
    DKittyMorphologyOracle as DKittyMorphologyOracle,
)
from mbo_hub.compat.design_bench.oracles.exact.hopper_controller_oracle import (
    HopperControllerOracle as HopperControllerOracle,
)
from mbo_hub.compat.design_bench.oracles.exact.nas_bench_oracle import (
    NASBenchOracle as NASBenchOracle,
)
from mbo_hub.compat.design_bench.oracles.exact.tf_bind_8_oracle import (
    TFBind8Oracle as TFBind8Oracle,
)
from mbo_hub.compat.design_bench.oracles.exact.tf_bind_10_oracle import (
    TFBind10Oracle as TFBind10Oracle,
)
from mbo_hub.compat.design_bench.oracles.exact.toy_continuous_oracle import (
    ToyContinuousOracle as ToyContinuousOracle,
)
from mbo_hub.compat.design_bench.oracles.exact.toy_discrete_oracle import (
    ToyDiscreteOracle as ToyDiscreteOracle,
)
