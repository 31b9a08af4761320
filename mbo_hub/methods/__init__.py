"""Contestants: methods of offline MBO that see `task.offline`, and no oracle."""

from __future__ import annotations

from mbo_hub.methods.auto_cbas import AutofocusedCbAS
from mbo_hub.methods.best_logged import BestLogged
from mbo_hub.methods.bo_qei import BayesianOptimization
from mbo_hub.methods.cbas import CbAS
from mbo_hub.methods.cma_es import CmaEs
from mbo_hub.methods.coms import ConservativeObjectiveModels
from mbo_hub.methods.grad_mean import GradMean
from mbo_hub.methods.grad_min import GradMin
from mbo_hub.methods.gradient_ascent import GradientAscent
from mbo_hub.methods.mins import ModelInversionNetworks
from mbo_hub.methods.protocol import Method, Paper, Preset, Proposal, Setting
from mbo_hub.methods.random_designs import Random
from mbo_hub.methods.registry import METHODS, find
from mbo_hub.methods.reinforce import Reinforce

__all__ = [
    "METHODS",
    "AutofocusedCbAS",
    "BayesianOptimization",
    "BestLogged",
    "CbAS",
    "CmaEs",
    "ConservativeObjectiveModels",
    "GradMean",
    "GradMin",
    "GradientAscent",
    "Method",
    "ModelInversionNetworks",
    "Paper",
    "Preset",
    "Proposal",
    "Random",
    "Reinforce",
    "Setting",
    "find",
]
