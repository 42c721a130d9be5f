"""The Grafana dashboards, as code: each module is one, and `make dashboards` writes them.

`layout` has what all of them share, `panels` the kinds of panels, `quality`, `playback` and
`latency` the panels that more than one dashboard shows, `queries` the PromQL, `colours` the bands
and their colours.
"""
