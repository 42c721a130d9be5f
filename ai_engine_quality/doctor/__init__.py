"""Checks of a live monitoring stack, each with what mends it: ``ai-engine-quality doctor``."""
