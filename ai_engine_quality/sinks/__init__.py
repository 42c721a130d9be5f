"""Where scores go: Prometheus, the log, the record file. Each is one module and knows no other."""
