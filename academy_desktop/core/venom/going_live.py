"""The steps that change what a server's chat uses, and their way back when one fails.

Owns their order: sign, activate, verify, ask something; and that all of it is undone together. Refuses to
know on which way the server is reached.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from academy_desktop.core.venom.activation import Seen, chat_model
from academy_desktop.core.venom.answers import Said, same_model
from academy_desktop.core.venom.carrier import Carrier
from academy_desktop.core.venom.connections import Activation, Before, Connection, Connections
from academy_desktop.core.venom.names import Naming
from academy_desktop.core.venom.stepping import Stepping
from trainers.errors import AcademyError, ErrorCode

if TYPE_CHECKING:
    from academy_desktop.core.venom.client import VenomClient

#: What the chat is asked. Any answer will do: whether it is a good one, the certificate has measured.
QUESTION: Final = "Are you there? Answer in one short sentence."
#: Room for a model that thinks before it answers.
ANSWER_TOKENS: Final = 512
#: Of the answer, in a sentence.
SHOWN: Final = 80
#: Where Venom does not reach its own runtime, which it may just have started anew, it is asked so often, with
#: pauses that double.
ASKS: Final = 6
_RESTARTING: Final = "llm_connection_error"
#: Nobody heard the question, or the answer: that says nothing about the adapter.
_UNHEARD: Final = {
    ErrorCode.VENOM_OLDER: "no_chat",
    ErrorCode.VENOM_NOT_READY: "no_chat",
    ErrorCode.VENOM_REMOTE: "no_chat",
    ErrorCode.VENOM_UNREACHABLE: "unheard",
    ErrorCode.VENOM_SSH_LOST: "unheard",
    ErrorCode.VENOM_SSH_UNREACHABLE: "unheard",
    ErrorCode.VENOM_TIMEOUT: "slow",
    ErrorCode.VENOM_BUSY: "slow",
}


class GoingLive:
    """The change of one server's chat to one adapter."""

    def __init__(
        self,
        client: VenomClient,
        carrier: Carrier,
        stepping: Stepping,
        connection: Connection,
        connections: Connections,
        look_s: float,
    ) -> None:
        self._client = client
        self._look_s = look_s
        self._carrier = carrier
        self._stepping = stepping
        self._connection = connection
        self._connections = connections
        self._sent = stepping.sent

    def before(self, adapter_id: str, seen: Seen) -> Before:
        """What to come back to: of a push that is repeated, what its first try found."""
        known = self._connection.activation_of(adapter_id)
        if known is None:
            return seen.as_before()
        halfway = seen.adapter_id is None and same_model(seen.model, known.before.model)
        return known.before if halfway or self._carrier.uses(seen, adapter_id) else seen.as_before()

    def run(self, adapter_id: str, naming: Naming) -> None:
        """Take the steps.

        Raises:
            AcademyError: what stopped one; the server is back at what it used before, or
                `venom_rollback_failed`.
        """
        seen = self._carrier.look()
        before = self._sent.previous = self.before(adapter_id, seen)
        if self._carrier.uses(seen, adapter_id):
            # Deploying it again would make the server forget what was before it.
            self._sent.previous = None if same_model(before.model, seen.model) else before
            self._keep(adapter_id, naming)
            return
        self._carrier.sign(adapter_id, naming, kept=False)
        self._stepping.end_if_cancelled()
        self._connections.begin_activation(
            self._connection.name, Activation(adapter_id=adapter_id, before=before)
        )
        try:
            self._activate(adapter_id, naming)
            self._verify(adapter_id)
            self._ask(adapter_id)
        except AcademyError as error:
            self._undo(before, error)
            raise

    # inside

    def _keep(self, adapter_id: str, naming: Naming) -> None:
        """Tell that the chat uses the adapter already, and ask it all the same: this changes nothing."""
        self._carrier.sign(adapter_id, naming, kept=True)
        with self._stepping.step("activate", {"chat_model": chat_model(adapter_id)}) as facts:
            facts["kept"] = True
        self._sent.activated = self._sent.deployed = True
        self._sent.chat_model = chat_model(adapter_id)
        self._verify(adapter_id)
        self._ask(adapter_id)

    def _activate(self, adapter_id: str, naming: Naming) -> None:
        with self._stepping.step("activate", {"runtime": self._sent.runtime}) as facts:
            self._sent.chat_model = facts["chat_model"] = self._carrier.activate(adapter_id, naming)
        self._sent.activated = self._sent.deployed = True

    def _verify(self, adapter_id: str) -> None:
        with self._stepping.step("verify", {"chat_model": self._sent.chat_model}):
            self._require_in_use(adapter_id)
        self._sent.verified = True

    def _require_in_use(self, adapter_id: str) -> None:
        seen = self._carrier.look()
        if not same_model(seen.model, self._sent.chat_model):
            raise AcademyError(ErrorCode.VENOM_NOT_VERIFIED, found=seen.model, expected=self._sent.chat_model)
        self._carrier.verify(seen, adapter_id)

    def _ask(self, adapter_id: str) -> None:
        """Ask the chat something, and look once more whose answer that was: it does not say so itself."""
        with self._stepping.step("canary", {"chat_model": self._sent.chat_model}) as facts:
            try:
                said = self._said()
            except AcademyError as error:
                if error.code not in _UNHEARD:
                    raise self._silent(error.facts.get("detail") or error.facts.get("reason")) from error
                facts["reason"] = _UNHEARD[error.code]
                return
            if said.trouble or not said.text:
                raise self._silent(said.trouble)
            self._require_in_use(adapter_id)
            self._sent.answer = said.text
            facts["answer"] = said.text[:SHOWN] + ("…" if len(said.text) > SHOWN else "")

    def _said(self) -> Said:
        for number in range(ASKS - 1):
            said = self._client.chat(QUESTION, ANSWER_TOKENS)
            if said.trouble != _RESTARTING:
                return said
            self._stepping.wait(self._look_s * 2**number)
        return self._client.chat(QUESTION, ANSWER_TOKENS)

    def _silent(self, detail: object) -> AcademyError:
        self._sent.verified = False
        return AcademyError(
            ErrorCode.VENOM_CANARY_FAILED,
            model=self._sent.chat_model,
            detail=str(detail) if detail else None,
        )

    def _undo(self, before: Before, cause: AcademyError) -> None:
        """Bring the server back after an activation that failed.

        Raises:
            AcademyError: `venom_rollback_failed`.
        """
        self._sent.activated = self._sent.deployed = self._sent.verified = False
        self._sent.chat_model = None
        with self._stepping.step("rollback", {"model": before.model}):
            try:
                self._carrier.undo(before, self._sent.adapter_id)
            except AcademyError as error:
                raise AcademyError(
                    ErrorCode.VENOM_ROLLBACK_FAILED,
                    expected=before.model,
                    found=error.facts.get("found"),
                    detail=error.facts.get("detail"),
                ) from cause
        self._sent.rolled_back = True
        self._connections.end_activation(self._connection.name, self._sent.adapter_id)
