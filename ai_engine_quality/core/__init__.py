"""The pure core: from what was seen of a call to what was heard; no clock, no I/O, no logging."""
