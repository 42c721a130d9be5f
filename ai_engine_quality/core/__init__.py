"""The pure core: observations in, a frozen summary, a score with its words. No clock, no I/O."""
