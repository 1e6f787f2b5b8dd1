"""Reasons beside the pictures: what a network's answer is made of. Plain Python, no Jupyter.

All functions take an `ActivationCache` first, then a photo or an `EditedRun`.

>>> from resnet_widgets import ActivationCache, explain
>>> cache = ActivationCache("mini")
>>> explain.grad_cam(cache, "cat.jpg", "conv5_block3_out").ranked()[:3]
"""

from __future__ import annotations

from .engine.classes import ClassScore
from .engine.edits import Edit, EditedRun, Erase, Mute, Scale, Solo, edit_from_dict
from .engine.explain.attribution import (
    Attribution,
    integrated_gradients,
    occlusion,
    saliency,
    smooth_grad,
)
from .engine.explain.cam import Cam, grad_cam, score_cam
from .engine.explain.channels import InputShares, inputs_of, kernels_of
from .engine.explain.pace import seconds_for
from .engine.explain.ranking import ChannelEffects, rank_channels
from .engine.explain.reading import BlockReading, LabelledPhotos, early_reading, forms_at
from .engine.explain.residual import Residual, Site, blocks_of, residual, residual_shares, site
from .engine.explain.visualise import Dream, visualise

__all__ = [
    "Attribution",
    "BlockReading",
    "Cam",
    "ChannelEffects",
    "ClassScore",
    "Dream",
    "Edit",
    "EditedRun",
    "Erase",
    "InputShares",
    "LabelledPhotos",
    "Mute",
    "Residual",
    "Scale",
    "Site",
    "Solo",
    "blocks_of",
    "early_reading",
    "edit_from_dict",
    "forms_at",
    "grad_cam",
    "inputs_of",
    "integrated_gradients",
    "kernels_of",
    "occlusion",
    "rank_channels",
    "residual",
    "residual_shares",
    "saliency",
    "score_cam",
    "seconds_for",
    "site",
    "smooth_grad",
    "visualise",
]
