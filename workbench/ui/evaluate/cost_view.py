"""Break-even: what the same work costs on the API and here, with the user's own numbers."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QDoubleSpinBox, QGridLayout, QVBoxLayout, QWidget

from workbench.evaluation.analysis import Analysis
from workbench.evaluation.break_even import CASES_PER_MONTH, BreakEven, Machine, break_evens
from workbench.evaluation.report import money_line
from workbench.evaluation.spec import EvalSpec
from workbench.ui.evaluate.parts import DoubleSpinBox, SpinBox, card, field, padded, wrapped
from workbench.ui.tr import tr, translated


class CostView(QWidget):
    changed = Signal()
    """Other numbers, or another evaluation."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._analysis: Analysis | None = None
        self._spec: EvalSpec | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        hint = tr("Change these to your own numbers; the first ones are assumptions.")
        frame, inner = card(tr("What a month would cost"), hint)
        grid = QGridLayout()
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(8)
        self.cases = SpinBox()
        self.cases.setRange(1, 100_000_000)
        self.cases.setGroupSeparatorShown(True)
        self.cases.setValue(CASES_PER_MONTH)
        self.watts = _number(0, 5_000, Machine().watts, 0, " W")
        self.power = _number(0, 10, Machine().usd_per_kwh, 2, " $/kWh")
        self.price = _number(0, 1_000_000, Machine().price_usd, 0, " $")
        self.api = _number(0, 100_000, 0, 2, " $")
        self.api.setSpecialValueText(tr("as measured"))
        fields = (
            field(tr("Cases a month"), self.cases),
            field(tr("Extra power while it works"), self.watts),
            field(tr("Price of electricity"), self.power),
            field(tr("Price of the machine"), self.price),
            field(tr("API price of 1,000 cases"), self.api),
        )
        for index, box in enumerate(fields):
            grid.addWidget(box, index // 3, index % 3)
        inner.addLayout(grid)
        self.text = wrapped()
        inner.addWidget(self.text)
        column.addWidget(frame)
        column.addStretch(1)
        for spin in (self.cases, self.watts, self.power, self.price, self.api):
            spin.valueChanged.connect(self._compute)
            padded(spin)

    def show_analysis(self, spec: EvalSpec, analysis: Analysis) -> None:
        self._spec, self._analysis = spec, analysis
        self._compute()

    def clear(self) -> None:
        """Until another evaluation's numbers are there."""
        self._spec = self._analysis = None
        self.changed.emit()
        self.text.clear()

    def items(self) -> list[tuple[str, BreakEven]]:
        """(model, what it costs) of every local model that was timed."""
        if self._analysis is None or self._spec is None:
            return []
        return break_evens(
            self._analysis,
            self._spec.baseline.name if self._spec.baseline else "",
            cases_per_month=self.cases.value(),
            api_usd_per_1000=self.api_usd_per_1000,
            machine=self.machine,
        )

    @property
    def machine(self) -> Machine:
        """The user's numbers."""
        return Machine(watts=self.watts.value(), usd_per_kwh=self.power.value(), price_usd=self.price.value())

    @property
    def api_usd_per_1000(self) -> float | None:
        """As the user has it; None: as measured."""
        return self.api.value() or None

    @Slot()
    def _compute(self) -> None:
        items = self.items()
        self.changed.emit()
        if not items:
            self.text.setText(tr("No local model was timed in this evaluation."))
            return
        self.text.setText("\n\n".join(f"{name}: {translated(money_line(item))}" for name, item in items))


def _number(low: float, high: float, value: float, decimals: int, suffix: str) -> QDoubleSpinBox:
    spin = DoubleSpinBox()
    spin.setDecimals(decimals)
    spin.setRange(low, high)
    spin.setValue(value)
    spin.setSuffix(suffix)
    spin.setGroupSeparatorShown(True)
    return spin
