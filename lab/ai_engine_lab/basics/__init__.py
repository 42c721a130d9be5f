"""What every part of the lab stands on: audio formats, seeded chance, ranks, the test matrix."""
