"""coremltools, imported without its warnings: it names every newer version, and each part that needs a Mac."""

import logging
import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    logging.getLogger("coremltools").setLevel(logging.ERROR)
    import coremltools as ct
    import coremltools.optimize.coreml as cto
    from coremltools.converters.mil.frontend.milproto.load import load as load_mil
    from coremltools.converters.mil.mil import types
    from coremltools.proto import Model_pb2

__all__ = ["Model_pb2", "ct", "cto", "load_mil", "types"]
