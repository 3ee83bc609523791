"""A run of real processes under faults, and the judgement of what they saw."""
