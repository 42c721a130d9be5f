"""What proves and shows the quality score: no engine needs it."""
