#!/usr/bin/env -S bash -c 'exec "${0%/*}/python" "$0" "$@"'
"""Choose a number that a method's original does not give, without asking any oracle.

The method sees what `offline.holdout(by="top")` leaves, and proposes. Its designs are judged by an
ensemble that was trained on all visible rows, the held-out top included: what that expects of them,
in standard deviations of the visible y, on average over the proposed designs. One line a run:
"""

from __future__ import annotations

import argparse
import time

import mbo_hub
from mbo_hub.methods import METHODS, networks
from mbo_hub.methods.features import features


def main() -> None:
    """Run the grid; print a line a run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("method", choices=METHODS)
    parser.add_argument("field", help="the hyper-parameter")
    parser.add_argument("values", type=float, nargs="+")
    parser.add_argument("--tasks", nargs="+", default=["tfbind8", "ant", "superconductor"])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--fraction", type=float, default=0.2)
    asked = parser.parse_args()
    for name in asked.tasks:
        offline = mbo_hub.load(name).offline
        kept, _ = offline.holdout(asked.fraction, by="top")
        with networks.alone():
            written = features(offline, "one_hot")
            judge = networks.forward_model(
                offline,
                written,
                members=5,
                hidden=(256,),
                epochs=50,
                batch=512,
                learning_rate=1e-3,
                rng=networks.generator(1000),
            ).requires_grad_(False)
        for value in asked.values:
            for seed in range(asked.seeds):
                method = METHODS[asked.method](**{asked.field: value})
                start = time.process_time()
                proposal = method(kept, seed=seed)
                seconds = time.process_time() - start
                with networks.alone():
                    x = networks.numbers(written.encode(proposal.designs))
                    expected = networks.mixture_mean(judge, x)
                print(
                    f"{name:15} {asked.method} {asked.field}={value:g} seed {seed}: "
                    f"median {expected.median().item():+.3f}, best {expected.max().item():+.3f}, "
                    f"{len({d.tobytes() for d in proposal.designs})} distinct; {seconds:.0f} s",
                    flush=True,
                )


if __name__ == "__main__":
    main()
