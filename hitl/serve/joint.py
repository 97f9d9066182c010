"""How a campaign's project on Label Studio comes to ask this server, and to leave it alone again."""

from __future__ import annotations

from collections.abc import Callable

from hitl.connectors.studio.backend import Backend, Tie, project_number
from hitl.connectors.studio.http import Http
from hitl.rounds import Campaign


class StudioJoint:
    """Ties the campaign's project to `backend` as soon as there is one; calls raise `ConnectorError`."""

    def __init__(
        self,
        http: Http,
        campaign: Campaign,
        backend: Backend,
        version: Callable[[], str],
        tell: Callable[[str], None],
    ) -> None:
        self._http = http
        self._campaign = campaign
        self._backend = backend
        self._version = version
        self._tell = tell
        self._told: set[str] = set()

    def join(self) -> None:
        """Let the project ask for predictions and tell of answers."""
        tie = self._tie()
        if tie is None:
            return
        for refusal in tie.attach(self._version(), show=self._campaign.walk.plan.show_predictions):
            if refusal not in self._told:
                self._told.add(refusal)
                self._tell(refusal)

    def part(self) -> None:
        """Let the project ask and tell nothing more."""
        tie = self._tie()
        if tie is not None:
            tie.detach()
        self._http.close()

    def _tie(self) -> Tie | None:
        address = self._campaign.ledger.project
        return Tie(self._http, project_number(address), self._backend) if address else None
