"""Train a personal comparator from labeled recordings."""

import edge_ecg.terminal.interrupts  # noqa: F401  # before torch, so that Ctrl-C is answered while it loads
