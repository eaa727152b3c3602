"""`python -m edge_ecg.cli`: the same as `edge-ecg`."""

from edge_ecg.cli import main

if __name__ == "__main__":
    main()
