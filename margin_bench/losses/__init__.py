"""Losses: criteria (what one group of logits costs) and the ways to apply them (what a group is)."""

from margin_bench.losses.arcface import ArcFaceLoss
from margin_bench.losses.asl import AsymmetricLoss
from margin_bench.losses.bce import BCELoss
from margin_bench.losses.bce_weighted import WeightedBCELoss
from margin_bench.losses.brier import BrierLoss
from margin_bench.losses.circle import CircleLoss
from margin_bench.losses.contrastive import ContrastiveLoss
from margin_bench.losses.cosface import CosFaceLoss
from margin_bench.losses.crammer_singer import CrammerSingerLoss
from margin_bench.losses.criterion import CriterionLoss
from margin_bench.losses.dice import DiceLoss
from margin_bench.losses.distribution_balanced import DistributionBalancedLoss
from margin_bench.losses.focal import FocalLoss
from margin_bench.losses.ge2e import GE2ELoss
from margin_bench.losses.hinge import HingeLoss
from margin_bench.losses.huber import HuberLoss
from margin_bench.losses.infonce import InfoNCELoss
from margin_bench.losses.l1 import L1Loss
from margin_bench.losses.multi_similarity import MultiSimilarityLoss
from margin_bench.losses.pairwise_logistic import PairwiseLogisticLoss
from margin_bench.losses.poly import PolyLoss
from margin_bench.losses.ranking_hinge import RankingHingeLoss
from margin_bench.losses.soft_margin import SoftMarginLoss
from margin_bench.losses.softmax import SoftmaxLoss
from margin_bench.losses.squared_hinge import SquaredHingeLoss
from margin_bench.losses.structured_hinge import StructuredHingeLoss
from margin_bench.losses.triplet import TripletLoss
from margin_bench.losses.twoway import TwoWayLoss
from margin_bench.losses.weston_watkins import WestonWatkinsLoss
from margin_bench.losses.zlpr import ZLPRLoss

__all__ = [
    "ArcFaceLoss",
    "AsymmetricLoss",
    "BCELoss",
    "BrierLoss",
    "CircleLoss",
    "ContrastiveLoss",
    "CosFaceLoss",
    "CrammerSingerLoss",
    "CriterionLoss",
    "DiceLoss",
    "DistributionBalancedLoss",
    "FocalLoss",
    "GE2ELoss",
    "HingeLoss",
    "HuberLoss",
    "InfoNCELoss",
    "L1Loss",
    "MultiSimilarityLoss",
    "PairwiseLogisticLoss",
    "PolyLoss",
    "RankingHingeLoss",
    "SoftMarginLoss",
    "SoftmaxLoss",
    "SquaredHingeLoss",
    "StructuredHingeLoss",
    "TripletLoss",
    "TwoWayLoss",
    "WeightedBCELoss",
    "WestonWatkinsLoss",
    "ZLPRLoss",
]
