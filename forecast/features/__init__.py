"""Bars become Windows: indicators, targets, scaling, splits, windows."""
