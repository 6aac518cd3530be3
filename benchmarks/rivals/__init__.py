"""Other ways to train the same network, timed beside this program; `compare.py` runs them all."""
