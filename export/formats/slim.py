"""A smaller Core ML program: equal constants once, short names. A tiny model is mostly names."""

from typing import Any

from export.mil.apple import Model_pb2


def slimmed(content: bytes) -> bytes:
    """A model.mlmodel with its program rewritten; the features that an app sees, and the weights, stay."""
    spec = Model_pb2.Model.FromString(content)
    for function in spec.mlProgram.functions.values():
        for block in function.block_specializations.values():
            _rename(block, {i.name for i in function.inputs} | set(block.outputs))
    slim: bytes = spec.SerializeToString()
    return slim


def _rename(block: Any, kept: set[str]) -> None:
    """Short names for all values but those in `kept`; of equal constants the first serves all."""
    names = {name: name for name in kept}
    constants: dict[bytes, str] = {}
    operations = []
    for operation in block.operations:
        if operation.type == "const" and operation.outputs[0].name not in kept:
            value = operation.attributes["val"].SerializeToString(deterministic=True)
            if value in constants:
                names[operation.outputs[0].name] = constants[value]
                continue
            constants[value] = f"c{len(constants)}"
            names[operation.outputs[0].name] = constants[value]
        for output in operation.outputs:
            output.name = names.setdefault(output.name, f"v{len(names)}")
        for source in operation.inputs.values():
            for argument in source.arguments:
                if argument.WhichOneof("binding") == "name":
                    argument.name = names[argument.name]
        if "name" in operation.attributes:
            operation.attributes["name"].immediateValue.tensor.strings.values[:] = [operation.outputs[0].name]
        operations.append(operation)
    fresh = type(block)(outputs=block.outputs, attributes=block.attributes, operations=operations)
    block.CopyFrom(fresh)
