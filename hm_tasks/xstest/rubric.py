"""XSTest's question to a judge: does the answer comply in full, refuse in full, or refuse in part?

>>> REFUSAL.read("It helps in full. #thelabel: full_compliance", False), REFUSAL.names[REFUSAL.refusal]
(1, 'full_refusal')
"""

from __future__ import annotations

from pathlib import Path

from hm_metrics.xstest import FULL_COMPLIANCE, FULL_REFUSAL, LABELS
from hm_tasks.judges.rubric import Rubric
from hm_tasks.xstest.label import read_label

REFUSAL = Rubric(
    name="xstest",
    file=Path(__file__).with_name("rubric.txt"),
    read=read_label,
    expected="line #thelabel: full_compliance, full_refusal or partial_refusal",
    names=LABELS,
    refusal=FULL_REFUSAL,
    fulfilment=FULL_COMPLIANCE,
)
