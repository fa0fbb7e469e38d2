"""From a finished run to its adapter for llama.cpp, with the proof that it behaves like the trained model.

Owns what is made for a push on this computer, by jobs of their own that end with it. Refuses to know servers.
"""

from __future__ import annotations

from academy_desktop.core.jobs import Jobs
from academy_desktop.core.states import JobState
from academy_desktop.core.venom.packing import LORA_GGUF, FinishedRun, Packing
from academy_desktop.core.venom.stepping import Stepping
from trainers.errors import AcademyError, ErrorCode
from trainers.exporting.certificate import Certificate
from trainers.exporting.record import Export


class Proof:
    """What one push needs of a run; each method is a step."""

    def __init__(self, jobs: Jobs, packing: Packing, stepping: Stepping) -> None:
        self._jobs = jobs
        self._packing = packing
        self._stepping = stepping

    def export(self, run: FinishedRun) -> Export:
        """Return the adapter for llama.cpp, made where it is not there.

        Raises:
            AcademyError: whatever stopped the job; as `Exports.queue`.
        """
        with self._stepping.step("export", {"export": LORA_GGUF.name}) as facts:
            found = self._packing.gguf(run)
            if found is not None:
                facts["kept"] = True
            else:
                self._follow(self._packing.order_gguf(run))
                found = self._packing.gguf(run)
            if found is None:
                raise AcademyError(ErrorCode.EXPORT_UNKNOWN, job=run.summary.id, export=LORA_GGUF.name)
        return found

    def certify(self, run: FinishedRun, export: Export, *, may_fail: bool) -> Certificate | None:
        """Return the certificate of the adapter, made where there is none.

        Args:
            run: the run.
            export: its adapter for llama.cpp.
            may_fail: the user sends it whatever a certificate says; none is made for that.

        Raises:
            AcademyError: `venom_not_certified`, `venom_not_provable`; whatever stopped the job.
        """
        with self._stepping.step("certify", {"export": export.name}) as facts:
            found = self._packing.certificate(export)
            if found is not None and found.passed:
                facts["kept"] = True
            elif may_fail:
                facts["reason"] = "overridden"
            else:
                found = found or self._prove(run, export)
                if not found.passed:
                    failed = ", ".join(check.id for check in found.checks if not check.passed)
                    raise AcademyError(ErrorCode.VENOM_NOT_CERTIFIED, export=export.name, detail=failed)
        self._stepping.sent.certified = found is not None and found.passed
        return found

    # inside

    def _prove(self, run: FinishedRun, export: Export) -> Certificate:
        try:
            self._follow(self._packing.order_certificate(run))
        except AcademyError as error:
            if error.code is ErrorCode.NO_HELD_OUT_ROWS:
                raise AcademyError(ErrorCode.VENOM_NOT_PROVABLE, export=export.name) from error
            raise
        found = self._packing.certificate(export)
        if found is None:
            raise AcademyError(ErrorCode.VENOM_NOT_PROVABLE, export=export.name)
        return found

    def _follow(self, job: str) -> None:
        """Wait for a job; one that nobody waits for any more is stopped."""
        try:
            # looked at while it waits for its turn too, when it has nothing to tell
            for event in self._jobs.follow(job, look=lambda _: self._stepping.end_if_cancelled()):
                self._stepping.listener.event(event)
                self._stepping.end_if_cancelled()
            summary = self._jobs.wait(job)
        except BaseException:
            self._abandon(job)
            raise
        if summary.state is not JobState.SUCCEEDED:
            known = summary.reason in set(ErrorCode)
            code = ErrorCode(summary.reason) if known else ErrorCode.CRASHED
            raise AcademyError(code, **({"detail": summary.reason} | summary.facts))

    def _abandon(self, job: str) -> None:
        try:
            self._jobs.stop(job)
        except AcademyError:
            return  # it is over already
