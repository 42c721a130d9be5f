"""A folder that ``run`` puts on ``PYTHONPATH`` for the sake of its ``sitecustomize``."""
