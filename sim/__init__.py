"""The SimPy world that replays traces: data plane, control processes, metrics, report."""
