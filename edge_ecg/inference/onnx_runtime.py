"""ONNX Runtime with its telemetry turned off: the only import of it in this repository, which a lint rule ensures.

Since 1.29 it writes a device identifier below the home directory, opens connections to its maker and keeps a queue of
events, unless the environment forbids it before the library is loaded; `disable_telemetry_events` comes too late. What
the user has set stays as it is.
"""

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
os.environ.setdefault("ORT_TELEMETRY_DISABLED", "1")  # the other name in its change log

import onnxruntime as onnxruntime  # noqa: TID251
