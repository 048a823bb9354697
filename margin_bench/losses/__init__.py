"""Losses: criteria (what one group of logits costs) and the ways to apply them (what a group is)."""

from margin_bench.losses.twoway import TwoWayLoss

__all__ = ["TwoWayLoss"]
