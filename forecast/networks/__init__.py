"""Windows become a trained network: the only place that knows Keras."""
