"""`person.onnx`: encoder, comparator, references and what training has seen in one graph; a beat in, its votes out.

It is made of the nodes of the two graphs as they were exported, so that it computes what they compute, for any number
of beats at once.
"""

from dataclasses import replace
from importlib.metadata import version
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from edge_ecg.bundles.bundle import PERSON
from edge_ecg.bundles.bundle import REFERENCES as REFERENCES_FILE
from edge_ecg.contract import CONTRACT, INTENDED_USE
from edge_ecg.errors import UnsupportedOperationError
from edge_ecg.inference.engines import Session
from edge_ecg.inference.person import CENTERS, OUTPUTS, REFERENCES, OnnxPerson, TwoGraphs
from edge_ecg.inference.references import ReferenceBank
from export.formats.onnx import ONNX, checked, stored_weights, to_onnx
from export.graphs import FLOAT32, Artifact, Engine, Files

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
        """All nodes of a graph, for N beats; `kept` renames what it shares with others, the prefix all else."""
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
    """One graph of a person's two, their references and, where it is known, what training has seen.

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


def person_artifact(bank: ReferenceBank) -> Artifact:
    """The graph of a person with these references, made from the graphs that are shipped."""
    return replace(
        PERSON_ARTIFACT, write=lambda graphs: {PERSON: person_onnx(to_onnx(graphs[0]), to_onnx(graphs[1]), bank)}
    )


def _unwritten(_graphs: object) -> dict[str, bytes]:
    raise NotImplementedError("a person's graph is written with references: person_artifact(bank)")


def _opened(files: Files) -> Engine:
    """The graph as two: the logits of an embedding came with it."""
    session, logits_of = Session(files[PERSON]), dict[bytes, np.ndarray]()

    def encode(beat: np.ndarray) -> np.ndarray:
        embedding, (logits_of[embedding.tobytes()],) = session.outputs_of(("embedding", "logits"), {"beat": beat})
        return embedding

    return Engine(encode, lambda embedding, _references: logits_of[embedding.tobytes()])


def faults_of(files: Files, bank: ReferenceBank, beats: np.ndarray) -> list[str]:
    """Differences of the graph on beats (N, 384) from the two graphs and the references that it was made of."""
    person, pair = OnnxPerson(files[PERSON], bank, beats.shape[1]), ONNX[0].open(files)
    got, wanted = person(beats), TwoGraphs(*pair, bank)(beats)
    faults = []
    single = [np.concatenate(rows) for rows in zip(*map(person, beats[:, np.newaxis]), strict=True)]
    if not all(map(np.array_equal, got, single)):
        faults.append("beats at once give other bits than one after the other")
    for name, ours, theirs in zip(got._fields, got, wanted, strict=True):
        if not np.allclose(ours, theirs, rtol=MOST_ERROR, atol=MOST_ERROR * np.abs(theirs).max()):
            faults.append(f"{name} is off by {np.abs(ours - theirs).max():.2g}")
    return faults


MOST_ERROR = 1e-5  # of the largest number: it adds in float32 what NumPy adds in float64
PERSON_ARTIFACT = Artifact(
    "person fp32",
    (PERSON,),
    REFERENCES_FILE,
    FLOAT32,
    _unwritten,
    _opened,
    lambda files: stored_weights(files[PERSON]),
    timed=True,
)
