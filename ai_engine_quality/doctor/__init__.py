"""Checks of a live monitoring stack, each with what fixes it: ``ai-engine-quality doctor``."""
