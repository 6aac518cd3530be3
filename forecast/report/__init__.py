"""A verdict becomes pictures and a page."""
