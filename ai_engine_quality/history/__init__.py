"""What stored calls tell together: selections, comparisons, and thresholds of one's own."""
