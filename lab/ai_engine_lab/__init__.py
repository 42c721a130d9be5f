"""The laboratory of ``ai_engine_quality``: a stand-in engine, test calls, and the evidence.

An engine doesn't carry it. It uses the library by its public names alone: ``ai_engine_quality``,
``ai_engine_quality.toolkit`` and ``ai_engine_quality.cli``.
"""
