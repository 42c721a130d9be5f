"""The monitoring stack's files, as they come with the library: rules, alerts and dashboards."""
