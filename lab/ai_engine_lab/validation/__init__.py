"""Does the score mean what it should? Test calls judged against what is expected of them.

Data flows one way: calls from a source (the reference engine, a record file, a Prometheus) are
matched to rows of the matrix, judged, compared with a golden baseline, and reported. Nothing here
knows the reference engine, which places the calls of the matrix itself.
"""
