"""The handbook's generated parts: tables made from the policy, the registry, dashboards and alerts.

Each page in ``docs/`` is written by hand, save what stands between two marks::

    <!-- weights: begin -->
    <!-- weights: end -->

``make handbook`` writes what belongs there. A test compares, so that a page can't be out of date.
"""
