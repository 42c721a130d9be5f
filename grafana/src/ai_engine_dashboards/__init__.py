"""The Grafana dashboards, as code: each module is one dashboard, and `make dashboards` writes them.

`layout` has what all of them share, `panels` the kinds of panels, `playback` and `latency` the panels
that more than one dashboard shows, `queries` the PromQL, `colours` the bands and their colours.
"""
