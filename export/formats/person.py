"""`person.onnx`: encoder, comparator, references and training distribution in one graph.

It is made of the nodes of the two graphs as they were exported, so that it computes what they compute, for any number
of beats at once. `PersonModule` is the same in torch: the layer check compares with it, other forms are made of it.
"""

from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any

import numpy as np
import onnx
import torch
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from edge_ecg.bundles.bundle import PERSON
from edge_ecg.bundles.bundle import REFERENCES as REFERENCES_FILE
from edge_ecg.contract import CONTRACT, INTENDED_USE
from edge_ecg.errors import UnsupportedOperationError
from edge_ecg.inference.engines import Session
from edge_ecg.inference.person import CENTERS, OUTPUTS, REFERENCES, OnnxPerson
from edge_ecg.inference.references import ReferenceBank
from export.formats.onnx import checked, stored_weights, to_onnx
from export.graphs import FLOAT32, Artifact, Engine, Files, Graph, Graphs

PAIRWISE = {"Sub", "Add", "Mul", "Div"}  # that broadcast (N, 1, D) against (R, D)
MEANING = {
    "beat": "N beats in rows: 383 raw samples in microvolts at 512 Hz, R at index 128, then the RR interval in seconds",
    "evidence": "soft evidence of each beat: above 0 it speaks for the target",
    "same": "how many references of the baseline, and of the target, call the beat 'same'",
    "distance": "how far each beat lies from what training has seen, near 1 for a usual beat; 0 where that is unknown",
    "embedding": "the numbers that describe each beat",
    "logits": "log odds that each beat and each reference are from different states",
}


class _Nodes:
    """Nodes and initializers of a graph that is being put together."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.tensors: list[TensorProto] = []

    def add(self, operation: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(operation, inputs, [output], output, **attributes))
        return output

    def constant(self, name: str, value: np.ndarray) -> str:
        self.tensors.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def floats(self, name: str, value: np.ndarray) -> str:
        return self.constant(name, np.asarray(value, np.float32))

    def take_over(self, graph: onnx.GraphProto, prefix: str, kept: dict[str, str]) -> None:
        """All nodes of a graph, for N beats; `kept` renames shared tensors, the prefix all others."""
        tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}

        def named(name: str) -> str:
            return kept.get(name, prefix + name) if name else ""

        for node in graph.node:
            copied = NodeProto()
            copied.CopyFrom(node)
            copied.name = named(node.output[0])
            copied.input[:], copied.output[:] = map(named, node.input), map(named, node.output)
            if node.op_type == "Reshape" and node.input[1] in tensors and tensors[node.input[1]][:1] == 1:
                # The one beat of the graph becomes as many as come in.
                shape = self.constant(f"{copied.name}.shape", np.array([0, *tensors[node.input[1]][1:]]))
                copied.input[1] = shape
                del copied.attribute[:]
            self.nodes.append(copied)
        used = {name for node in self.nodes for name in node.input}
        self.tensors += [numpy_helper.from_array(v, named(n)) for n, v in tensors.items() if named(n) in used]


def person_onnx(encoder: bytes, comparator: bytes, bank: ReferenceBank) -> bytes:
    """One graph of a person's two graphs, references and, if known, training distribution.

    Raises UnsupportedOperationError if an operation takes one beat only.
    """
    made = _Nodes()
    encode, compare = onnx.load_from_string(encoder).graph, onnx.load_from_string(comparator).graph
    made.take_over(encode, "encoder.", {"beat": "beat", "embedding": "embedding"})
    made.floats(REFERENCES, bank.embeddings)
    _pairs(made, compare, bank)
    made.constant("by_beat", np.array([-1, len(bank.is_target)]))
    made.add("Reshape", ["logit", "by_beat"], "logits")
    made.add("MatMul", ["logits", made.floats("share", bank.weights[:, np.newaxis])], "evidence")
    made.add("Less", ["logits", made.floats("zero", np.zeros(()))], "is_same")
    made.add("Cast", ["is_same"], "is_same.number", to=TensorProto.FLOAT)
    made.add("MatMul", ["is_same.number", made.floats("state", bank.by_state)], "same")
    _distance(made, bank)
    return _model(made, bank).SerializeToString()


def _pairs(made: _Nodes, compare: onnx.GraphProto, bank: ReferenceBank) -> None:
    """The comparator on every pair of a beat and a reference, a pair a row."""
    length = bank.embeddings.shape[1]
    users = [node for node in compare.node if {"embedding", "references"} & set(node.input)]
    if len(users) != 1 or users[0].op_type not in PAIRWISE:
        raise UnsupportedOperationError("person: the comparator does not begin with one operation on pairs of numbers")
    made.constant("axis", np.array([1]))
    made.add("Unsqueeze", ["embedding", "axis"], "embedding.row")
    made.constant("pair", np.array([-1, length]))
    (first,) = users
    renamed = {"embedding": "embedding.row", "references": REFERENCES, first.output[0]: "pairs", "logit": "logit"}
    made.take_over(compare, "comparator.", renamed)
    place = next(i for i, node in enumerate(made.nodes) if "pairs" in node.output)
    made.nodes[place].name = made.nodes[place].output[0] = "pairs.by_beat"
    made.nodes.insert(place + 1, helper.make_node("Reshape", ["pairs.by_beat", "pair"], ["pairs"], "pairs"))


def _distance(made: _Nodes, bank: ReferenceBank) -> None:
    distribution = bank.distribution
    if distribution is None:
        made.add("MatMul", ["evidence", made.floats("nothing", np.zeros((1, 1)))], "distance")
        return
    axes, weights = distribution.squares
    made.add("Sub", ["embedding.row", made.floats(CENTERS, distribution.centres)], "offset")
    made.add("MatMul", ["offset", made.floats("directions", axes)], "along")
    made.add("Mul", ["along", "along"], "along.squared")
    made.add("MatMul", ["along.squared", made.floats("precision", weights[:, np.newaxis])], "squared.by_state")
    made.add("ReduceMin", ["squared.by_state", "axis"], "squared", keepdims=0)
    made.add("Relu", ["squared"], "squared.positive")
    made.add("Sqrt", ["squared.positive"], "distance")


def _model(made: _Nodes, bank: ReferenceBank) -> ModelProto:
    lengths = {"beat": CONTRACT.beat_length, "evidence": 1, "same": 2, "distance": 1}
    lengths["logits"], lengths["embedding"] = bank.embeddings.shape

    def value(name: str) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", lengths[name]], MEANING[name])

    graph = helper.make_graph(made.nodes, "person", [value("beat")], [value(name) for name in OUTPUTS], made.tensors)
    model = helper.make_model(graph, producer_name="edge-ecg", producer_version=version("edge-ecg"))
    model.doc_string = INTENDED_USE
    return checked(model)


class PersonModule(torch.nn.Module):
    """The same graph of one beat in torch: its outputs by name."""

    def __init__(self, encoder: torch.nn.Module, comparator: torch.nn.Module, bank: ReferenceBank):
        super().__init__()
        self.encoder, self.comparator = encoder, comparator
        self._keep("references", bank.embeddings)
        self._keep("share", bank.weights[:, np.newaxis])
        self._keep("state", bank.by_state)
        self.knows_distribution = bank.distribution is not None
        if bank.distribution is not None:
            axes, weights = bank.distribution.squares
            self._keep("centers", bank.distribution.centres)
            self._keep("directions", axes)
            self._keep("precision", weights[:, np.newaxis])

    def _keep(self, name: str, value: np.ndarray) -> None:
        self.register_buffer(name, torch.from_numpy(np.array(value, np.float32)))

    def forward(self, beat: torch.Tensor) -> dict[str, torch.Tensor]:
        embedding = self.encoder(beat)
        logits = self.comparator(embedding, self.references)[None]
        evidence = logits @ self.share
        same = (logits < 0).float() @ self.state
        if not self.knows_distribution:
            distance = 0 * evidence
        else:
            along = (embedding - self.centers) @ self.directions
            distance = ((along * along) @ self.precision).min().relu().sqrt().reshape(1, 1)
        return dict(zip(OUTPUTS, (evidence, same, distance, embedding, logits), strict=True))


def person_graph(graphs: Graphs, bank: ReferenceBank) -> Graph:
    """The graph of a person in torch, made of the two graphs and the references."""
    encoder, comparator = graphs
    module = PersonModule(encoder.module, comparator.module, bank).eval()
    return Graph("person", module, {"beat": (1, CONTRACT.beat_length)}, OUTPUTS[0], MEANING, encoder.about)


Outputs = Callable[[np.ndarray], Mapping[str, np.ndarray]]  # a person's graph: a beat (1, 384) in, outputs by name


def as_two(run: Outputs) -> Engine:
    """A person's graph as two: the logits of an embedding came with it."""
    logits_of = dict[bytes, np.ndarray]()

    def encode(beat: np.ndarray) -> np.ndarray:
        outputs = run(beat)
        (logits_of[outputs["embedding"].tobytes()],) = outputs["logits"]
        return outputs["embedding"]

    return Engine(encode, lambda embedding, _references: logits_of[embedding.tobytes()])


def faults_of(run: Outputs, bank: ReferenceBank, beats: np.ndarray) -> list[str]:
    """Outputs of a person graph that do not follow from its own embeddings and logits."""
    rows = [run(beat[np.newaxis]) for beat in beats]
    got = {name: np.concatenate([row[name] for row in rows]) for name in OUTPUTS}
    logits, distribution = got["logits"], bank.distribution
    wanted = {
        "evidence": bank.evidence(logits)[:, np.newaxis],
        "same": (logits < 0) @ bank.by_state,
        "distance": (distribution.distances(got["embedding"]) if distribution else np.zeros(len(beats)))[:, np.newaxis],
    }
    faults = []
    for name, theirs in wanted.items():
        if not np.allclose(got[name], theirs, rtol=MOST_ERROR, atol=MOST_ERROR * np.abs(theirs).max()):
            faults.append(f"{name} is off by {np.abs(got[name] - theirs).max():.2g}")
    return faults


def _outputs(files: Files) -> Outputs:
    session = Session(files[PERSON])
    return lambda beat: dict(zip(OUTPUTS, session.outputs_of(OUTPUTS, {"beat": beat}), strict=True))


def _faults(files: Files, bank: ReferenceBank, beats: np.ndarray) -> list[str]:
    """The same of the ONNX file, which also gives the same bits for beats at once as for single ones."""
    person = OnnxPerson(files[PERSON], bank, beats.shape[1])
    single = [np.concatenate(rows) for rows in zip(*map(person, beats[:, np.newaxis]), strict=True)]
    are_same = all(map(np.array_equal, person(beats), single))
    faults = [] if are_same else ["beats at once give other bits than one after the other"]
    return faults + faults_of(_outputs(files), bank, beats)


MOST_ERROR = 1e-5  # of the largest number: it adds in float32 what NumPy adds in float64
PERSON_ARTIFACT = Artifact(
    "person fp32",
    (PERSON,),
    REFERENCES_FILE,
    FLOAT32,
    lambda graphs, bank: {PERSON: person_onnx(to_onnx(graphs[0]), to_onnx(graphs[1]), bank)},
    lambda files: as_two(_outputs(files)),
    lambda files: stored_weights(files[PERSON]),
    timed=True,
    other_faults=_faults,
)
