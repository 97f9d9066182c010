"""A campaign's file: YAML → objects, checked; paths are relative to the file, secrets come from the environment."""

from hitl.config.file import CampaignConfig
from hitl.config.places import LabelStudioConfig, MemoryConfig, secret, truth_from
from hitl.config.sections import ComputeConfig, ModelConfig, PoolConfig

__all__ = [
    "CampaignConfig",
    "ComputeConfig",
    "LabelStudioConfig",
    "MemoryConfig",
    "ModelConfig",
    "PoolConfig",
    "secret",
    "truth_from",
]
