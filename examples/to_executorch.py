"""The two graphs of a run as ExecuTorch programs (`.pte`): `pip install executorch`, then this file, RUN and OUT.

The comparator takes as many references as the run has. What was measured with it is in docs/models.md.
"""

import sys
from pathlib import Path

import torch
from executorch.exir import to_edge

from export.graphs import graphs_of
from train.run import load_run

run, out = load_run(Path(sys.argv[1])), Path(sys.argv[2])
out.mkdir(exist_ok=True)
for graph in graphs_of(run.model, run.labels):
    example = tuple(graph.example(len(run.references()[0])).values())
    program = to_edge(torch.export.export(graph.module, example)).to_executorch()
    (out / f"{graph.name}.pte").write_bytes(program.buffer)
    print(f"{out / graph.name}.pte: {len(program.buffer):,} bytes")
