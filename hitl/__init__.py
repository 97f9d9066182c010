"""Human-in-the-loop training of moderation classifiers, on Label Studio.

The names here are the public face; each is imported when it is first used, so that `import hitl` is fast.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hitl.challenges import ChallengeSuite as ChallengeSuite
    from hitl.config import CampaignConfig as CampaignConfig
    from hitl.connectors.label_studio import LabelStudio as LabelStudio
    from hitl.connectors.memory import MemoryConnector as MemoryConnector
    from hitl.errors import HitlError as HitlError
    from hitl.ledger import Ledger as Ledger
    from hitl.models import load_model as load_model
    from hitl.models.ensemble import Ensemble as Ensemble
    from hitl.models.image_classifier import ImageClassifier as ImageClassifier
    from hitl.models.multimodal import Multimodal as Multimodal
    from hitl.models.policy_judge import PolicyJudge as PolicyJudge
    from hitl.models.text_linear import TextLinear as TextLinear
    from hitl.models.text_transformer import TextTransformer as TextTransformer
    from hitl.models.video_classifier import VideoClassifier as VideoClassifier
    from hitl.policy import Policy as Policy
    from hitl.pool import Pool as Pool
    from hitl.rounds import Campaign as Campaign
    from hitl.rounds import Metrics as Metrics
    from hitl.rounds import Round as Round
    from hitl.sampling.plan import Plan as Plan

__version__ = "0.1.0"

_HOMES = {
    "Campaign": "hitl.rounds",
    "CampaignConfig": "hitl.config",
    "ChallengeSuite": "hitl.challenges",
    "Ensemble": "hitl.models.ensemble",
    "HitlError": "hitl.errors",
    "ImageClassifier": "hitl.models.image_classifier",
    "LabelStudio": "hitl.connectors.label_studio",
    "Ledger": "hitl.ledger",
    "MemoryConnector": "hitl.connectors.memory",
    "Metrics": "hitl.rounds",
    "Multimodal": "hitl.models.multimodal",
    "Plan": "hitl.sampling.plan",
    "Policy": "hitl.policy",
    "PolicyJudge": "hitl.models.policy_judge",
    "Pool": "hitl.pool",
    "Round": "hitl.rounds",
    "TextLinear": "hitl.models.text_linear",
    "TextTransformer": "hitl.models.text_transformer",
    "VideoClassifier": "hitl.models.video_classifier",
    "load_model": "hitl.models",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"hitl has no {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
