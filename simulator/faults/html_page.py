"""A page of HTML where JSON is expected: what stands in front of a provider answers, not the provider."""

from typing import Annotated, ClassVar

import msgspec

from simulator.faults.asked import Asked
from simulator.faults.draws import Draws
from simulator.faults.fault import RequestFault, Stage
from simulator.faults.outcome import Outcome
from simulator.faults.retry_after import RetryAfter, RetryAfterForm, retry_after_fields
from simulator.fcm.html_page import bad_gateway_page


class HtmlPageFault(RequestFault, frozen=True):
    """A front end answers with a page of HTML, such as Google's 502, in place of the provider's JSON.

    `status`: of the answer. `retry_after_s`, `retry_after_form`: a `Retry-After` field as with `reason`.
    """

    name: ClassVar[str] = "html-page"
    good_sender: ClassVar[str] = "goes by the status alone, does not fail over a body that is no JSON, and retries 5xx"
    stages: ClassVar[tuple[Stage, ...]] = (Stage.BEFORE_JUDGE, Stage.AFTER_VERDICT)

    status: Annotated[int, msgspec.Meta(ge=400, le=599)] = 502
    retry_after_s: RetryAfter = None
    retry_after_form: RetryAfterForm = "seconds"

    def play(self, outcome: Outcome, asked: Asked, draws: Draws) -> Outcome:
        page = bad_gateway_page()
        fields = retry_after_fields(self.retry_after_s, self.retry_after_form, asked.now_s)
        answer = page._replace(status=self.status, fields=page.fields + fields)
        return outcome._replace(answer=answer, reason=self.name)
