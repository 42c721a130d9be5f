"""What lives while calls do: handles, the calls in progress, hooks, and batches of raw frames."""
