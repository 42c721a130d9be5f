"""Pictures of the dashboards and diagnosis cards, for the documents: `make pictures` draws them.

A developers' tool; it is no part of the library. See README.md in the folder above.
"""
