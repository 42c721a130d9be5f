"""The operator's own schemas are looked at where ``PROMETHEUS_OPERATOR_CRDS`` names them."""

from __future__ import annotations

import os

collect_ignore = [] if os.environ.get("PROMETHEUS_OPERATOR_CRDS") else ["test_operator_schemas.py"]
