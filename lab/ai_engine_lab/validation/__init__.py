"""Does the score mean what it should? Test calls judged against what is expected of them.

Data flows one way: calls from a source (the reference engine, a record file, a Prometheus) are
matched to rows of the matrix, judged, compared with a golden run, and reported. Only
`placed` knows the reference engine, so that real calls are judged without what the engine needs.
"""
