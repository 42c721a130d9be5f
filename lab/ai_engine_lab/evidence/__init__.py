"""Does the score mean anything? The listening evidence, and the real calls, behind the policy.

Not part of what an engine carries: it needs the extra ``evidence``. Telephone speech is impaired by
the reference engine's own mechanism (:mod:`line`), observed through the library's public API
(:mod:`observing`), and compared by PESQ and ViSQOL with the clean original (:mod:`measures`). The
results stand in a CSV file (:mod:`samples`), from which every number of ``docs/Evidence.md`` is
made again by any policy, without measuring anew (``make evidence``).
"""
