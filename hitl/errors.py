"""Every error that `hitl` raises on purpose, as one tree.

    HitlError
    ├── ConfigError            a setting or file the user wrote is wrong
    │   └── PolicyError        ... the policy in particular
    ├── DataError              content or answers that cannot be used as they are
    │   ├── PoolError          ... rows of the pool
    │   ├── MediaError         ... one item's picture or clip
    │   └── AnswerError        ... an annotation outside the policy
    ├── ModelError             a model cannot be fitted, saved or loaded
    │   ├── EndpointDown       ... the endpoint of a language model does not answer (try again: nothing is lost)
    │   └── KeyRefused         ... that endpoint refuses the key, or its quota is used up
    ├── LedgerError            the campaign's record is missing, busy, or of another campaign
    ├── CampaignError          a round cannot go on as it stands
    ├── WorkforceError         what was asked of a person's record is not allowed
    ├── ComputeError           the cluster that a pass ran on failed (try again: nothing is lost)
    └── ConnectorError         the place where people work
        ├── ServerUnreachable  ... does not answer (try again: nothing is lost)
        ├── NotAllowed         ... refuses the token or the permission
        └── ServerRefused      ... answered with an error

A message says what was wrong, where, and what to do about it. It never holds a secret or a piece of content.
"""

from __future__ import annotations


class HitlError(Exception):
    """What all errors of this library have in common: an exit code for the command line."""

    exit_code = 1


class ConfigError(HitlError):
    """A setting, or a file that the user wrote, is wrong."""

    exit_code = 78


class PolicyError(ConfigError):
    """The policy contradicts itself, or does not know a label that was asked for."""


class DataError(HitlError):
    """Content or answers that cannot be used as they are."""

    exit_code = 65


class PoolError(DataError):
    """Rows of the pool are missing, doubled or impossible."""


class MediaError(DataError):
    """A picture or clip of one item is missing, broken or beyond the limits; the others go on."""


class AnswerError(DataError):
    """An annotation says something that the policy does not know."""


class ModelError(HitlError):
    """A model cannot be fitted, saved or loaded."""


class EndpointDown(ModelError):  # noqa: N818 - a state, read aloud as one
    """The endpoint does not answer, or is busy beyond patience; what was answered is kept, call again."""

    exit_code = 69


class KeyRefused(ModelError):  # noqa: N818
    """The endpoint refuses the key, or what it may do."""

    exit_code = 77


class LedgerError(HitlError):
    """The campaign's record is missing, busy, or belongs to another campaign."""


class CampaignError(HitlError):
    """A round cannot go on as it stands."""


class WorkforceError(HitlError):
    """What was asked of a person's record is not allowed; the message says what is."""


class ComputeError(HitlError):
    """The cluster that a pass over the pool ran on cannot be reached, or failed; nothing is lost, call again."""

    exit_code = 69


class ConnectorError(HitlError):
    """The place where people work failed us."""

    exit_code = 69


class ServerUnreachable(ConnectorError):  # noqa: N818 - a state, read aloud as one
    """The server does not answer; nothing is lost, call again."""


class NotAllowed(ConnectorError):  # noqa: N818
    """The server refuses the token or the permission."""

    exit_code = 77


class ServerRefused(ConnectorError):  # noqa: N818
    """The server answered with an error."""
