"""Turn a trained comparator into files that a device can run."""

import edge_ecg.terminal.interrupts  # noqa: F401  # before torch, so that Ctrl-C is answered while it loads
