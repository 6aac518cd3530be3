"""Forecasts become a verdict: prices, scores, significance."""
