"""A ticker becomes Bars: sources, quality, sessions, store."""
