"""Where bars come from; each source is one module with a `fetch`."""
