"""The laboratory's commands, which join ``ai-engine-quality`` where the laboratory is installed."""
