"""coremltools, imported without its warnings: it names every newer version, and each part that needs a Mac."""

import logging
import sys
import warnings

# coremltools asks for the version of scikit-learn, and does without one as new as ours: a second to import for nothing.
is_hidden = sys.modules.setdefault("sklearn", None) is None  # type: ignore[arg-type]
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    logging.getLogger("coremltools").setLevel(logging.ERROR)
    import coremltools as ct
    import coremltools.optimize.coreml as cto
    from coremltools.converters.mil.frontend.milproto.load import load as load_mil
    from coremltools.converters.mil.mil import types
    from coremltools.proto import Model_pb2
if is_hidden:
    del sys.modules["sklearn"]

__all__ = ["Model_pb2", "ct", "cto", "load_mil", "types"]
