"""The style sheet: what Fusion and the palette can't say. `$name` is a token, `$f12` a scaled text size."""

STYLE = """
* { outline: 0; }
QToolTip { padding: 5px 8px; border: 1px solid $border; background: $panel; color: $text; font-size: $f12; }
QMainWindow, QDialog { background: $bg; }
QInputDialog QLineEdit, QInputDialog QComboBox { min-width: 340px; }
QDialogButtonBox { dialogbuttonbox-buttons-have-icons: 0; }

/* frame */
#rail { background: $side; border-right: 1px solid $border; }
#railButton { background: transparent; border: 1px solid transparent; border-radius: 8px; padding: 7px 2px 5px 2px;
    color: $muted; font-size: $f10; }
#railButton:hover { background: $hover; color: $text; }
#railButton:checked { background: $selected; color: $text; }
#railButton:focus { border-color: $accent; }
#list { background: $side; border-right: 1px solid $border; }
#statusBar { background: $side; border-top: 1px solid $border; }
#statusBar QLabel, #statusBar QToolButton { color: $muted; font-size: $f11; }
#brand { font-size: $f15; font-weight: 600; }
#pageTitle { font-size: $f14; font-weight: 600; }
#heading { font-size: $f18; font-weight: 600; }
#hero { font-size: $f22; font-weight: 600; }
#sectionTitle { font-weight: 600; }
#verdict { font-size: $f14; font-weight: 600; }
#muted { color: $muted; }
#small { color: $muted; font-size: $f11; }
#stat { color: $muted; font-size: $f12; }
#bad { color: $bad; font-size: $f12; }
#good { color: $good; font-size: $f12; }
#warn { color: $warn; font-size: $f12; }
#mono { font-family: $mono; font-size: $f12; }
#separator { background: $border; border: 0; }

/* buttons */
QPushButton { background: $button; border: 1px solid $border; border-radius: 8px; padding: 6px 12px; color: $text; }
QPushButton:hover { background: $hover; }
QPushButton:pressed { background: $selected; }
QPushButton:focus { border-color: $accent; }
QPushButton:disabled { color: $muted; background: $side; }
QPushButton#primary { background: $accent; color: $on_accent; border-color: $accent; font-weight: 600; }
QPushButton#primary:hover { border-color: $on_accent; }
QPushButton#primary:focus { border-color: $text; }
QPushButton#primary:disabled { background: $chip; color: $muted; border-color: $border; }
QPushButton#danger { color: $bad; }
QPushButton#danger:disabled { color: $muted; }
QPushButton#link { background: transparent; border: 1px solid transparent; padding: 2px 4px; color: $link; }
QPushButton#link:focus { border-color: $accent; }
QPushButton#prompt { text-align: left; padding: 10px 14px; border-radius: 10px; }
QToolButton { background: transparent; border: 1px solid transparent; border-radius: 6px; padding: 4px; color: $text; }
QToolButton:hover { background: $hover; }
QToolButton:pressed, QToolButton:checked { background: $selected; }
QToolButton:focus { border-color: $accent; }
QToolButton::menu-indicator { image: none; }
QToolButton#chip { background: $chip; padding: 4px 9px; font-size: $f12; }
QToolButton#chip:hover { background: $hover; }
QToolButton#chip:checked { background: $selected; }
QToolButton#chip:focus { border-color: $accent; }
QToolButton#send { background: $accent; border: 1px solid $accent; border-radius: 8px; padding: 6px; }
QToolButton#send:hover { border-color: $on_accent; }
QToolButton#send:focus { border-color: $text; }
QToolButton#send:disabled { background: $chip; border-color: $chip; }
QToolButton#modelButton { font-size: $f14; font-weight: 600; padding: 5px 8px; }
QToolButton#sectionToggle { font-weight: 600; padding: 4px 2px; text-align: left; }

/* fields */
QLineEdit, QPlainTextEdit, QSpinBox, QDoubleSpinBox, QComboBox {
    background: $panel; border: 1px solid $border; border-radius: 7px; padding: 5px 8px; color: $text;
    selection-background-color: $accent; selection-color: $on_accent; }
QLineEdit:focus, QPlainTextEdit:focus, QSpinBox:focus, QDoubleSpinBox:focus, QComboBox:focus { border-color: $accent; }
QLineEdit:disabled, QPlainTextEdit:disabled, QComboBox:disabled { color: $muted; background: $side; }
QPlainTextEdit#code { font-family: $mono; font-size: $f12; background: $code_bg; color: $code_text; }
QComboBox::drop-down { border: 0; width: $f22; }
QComboBox::down-arrow { image: url($arrow); width: $f14; height: $f14; }
QComboBox QAbstractItemView { background: $panel; border: 1px solid $border; padding: 4px; outline: 0;
    selection-background-color: $selected; selection-color: $text; }
QSpinBox::up-button, QSpinBox::down-button, QDoubleSpinBox::up-button,
QDoubleSpinBox::down-button { width: 0; border: 0; }
QCheckBox { spacing: 8px; padding: 2px; }
QCheckBox::indicator, QTableView::indicator, QRadioButton::indicator { width: $f15; height: $f15; background: $panel;
    border: 1px solid $muted; }
QCheckBox::indicator, QTableView::indicator { border-radius: 4px; }
QRadioButton::indicator { border-radius: $f8; }
QCheckBox::indicator:checked, QTableView::indicator:checked { background: $accent; border-color: $accent;
    image: url($tick); }
QRadioButton::indicator:checked { background: $accent; border: 4px solid $panel; }
QCheckBox:focus, QRadioButton:focus { border: 1px solid $accent; border-radius: 6px; }
QSlider::groove:horizontal { height: 4px; background: $border; border-radius: 2px; }
QSlider::sub-page:horizontal { background: $accent; border-radius: 2px; }
QSlider::handle:horizontal { width: 14px; height: 14px; margin: -5px 0; border-radius: 7px; background: $accent; }
QSlider::handle:horizontal:focus { border: 2px solid $text; }
QProgressBar { background: $border; border: 0; border-radius: 3px; max-height: 6px; min-height: 6px; }
QProgressBar::chunk { background: $accent; border-radius: 3px; }
QProgressBar#warn::chunk { background: $warn; }
QProgressBar#bad::chunk { background: $bad; }

/* lists, menus, tables */
QListView, QTreeView { background: transparent; border: 0; color: $text; }
QListView:focus { border: 0; }
#navigation::item { border: 1px solid transparent; border-radius: 7px; padding: 0 9px; margin: 1px 8px; color: $text; }
#navigation::item:hover { background: $hover; }
#navigation::item:selected { background: $selected; color: $text; }
#navigation::item:focus { border-color: $accent; }
QTableView { background: $panel; border: 1px solid $border; border-radius: 8px; gridline-color: $border; }
QTableView:focus { border-color: $accent; }
QHeaderView::section { background: $panel; color: $muted; border: 0; border-bottom: 1px solid $border;
    padding: 6px 8px; font-size: $f12; font-weight: 600; }
QMenu { background: $panel; border: 1px solid $border; border-radius: 8px; padding: 5px; }
QMenu::item { padding: 6px 24px 6px 12px; border-radius: 5px; color: $text; }
QMenu::item:selected { background: $selected; color: $text; }
QMenu::item:disabled { color: $muted; }
QMenu::separator { height: 1px; background: $border; margin: 5px 8px; }
QMenu::icon { padding-left: 8px; }

/* cards */
#card, #popup { background: $panel; border: 1px solid $border; border-radius: 12px; }
#errorCard { background: $bad_bg; border: 1px solid $bad; border-radius: 10px; }
#errorCard QLabel { color: $text; }
#errorCard QLabel#errorTitle { color: $bad; font-weight: 600; }
#errorCard QPushButton { border-color: $bad; }
#warnBanner { background: $warn_bg; border: 0; border-bottom: 1px solid $border; }
#warnBanner QLabel { color: $text; }
#badBanner { background: $bad_bg; border: 0; border-bottom: 1px solid $border; }
#infoBanner { background: $chip; border: 0; border-bottom: 1px solid $border; }
#toast { background: $text; border-radius: 10px; }
#toast QLabel { color: $panel; }
#toast QPushButton { background: transparent; color: $panel; border: 1px solid $muted; font-weight: 600;
    padding: 4px 10px; }
#toast QPushButton:focus { border-color: $panel; }
#badge { color: $muted; background: $chip; border-radius: 6px; padding: 2px 7px; font-size: $f11; }
#badgeGood { color: $good; background: $good_bg; border-radius: 6px; padding: 2px 7px; font-size: $f11; }
#badgeWarn { color: $warn; background: $warn_bg; border-radius: 6px; padding: 2px 7px; font-size: $f11; }
#composer { background: $panel; border: 1px solid $border; border-radius: 14px; }
#composer[focused="true"] { border-color: $accent; }
#composer QPlainTextEdit { background: transparent; border: 0; padding: 0; font-size: $f14; }
#attachment { background: $chip; border: 1px solid $border; border-radius: 8px; }
#attachment QLabel { font-size: $f12; }
#chatMain { background: $panel; border: 0; }
#sidePanel { background: $bg; border-left: 1px solid $border; }
#paramRow QLabel { font-size: $f12; }

/* compare */
#comparePage { background: $bg; }
#column { background: $panel; border: 1px solid $border; border-radius: 12px; }
#column[current="chosen"] QToolButton#columnModel { color: $link; }
#column[current="focused"] { border-color: $accent; }
#columnHeader { background: transparent; }
QToolButton#columnModel { font-size: $f14; font-weight: 600; padding: 3px 4px; text-align: left; }
QToolButton#columnModel:disabled { color: $text; }
#columnOptions { background: transparent; border: 0; }
#dropLine { background: $accent; border: 0; border-radius: 1px; }
#conditionsBar, #voteBar { background: $panel; border: 1px solid $border; border-radius: 10px; }
#conditionsBar[grave="true"] { background: $warn_bg; border-color: $warn; }
#conditionsBar[grave="true"] QLabel { color: $text; }
QToolButton#send { color: $on_accent; font-weight: 600; }
QToolButton#send:disabled { color: $muted; }
QTextEdit#diff { background: $panel; border: 1px solid $border; border-radius: 8px; padding: 10px; font-size: $f14; }
QTabBar::tab { background: transparent; color: $muted; padding: 6px 12px; border-radius: 7px; margin-right: 4px; }
QTabBar::tab:selected { background: $selected; color: $text; }
QTabBar::tab:focus { border: 1px solid $accent; }

/* models */
#badgeBad { color: $bad; background: $bad_bg; border-radius: 6px; padding: 2px 7px; font-size: $f11; }
#segments { background: $chip; border: 0; border-radius: 9px; }
QToolButton#segment { padding: 4px 12px; border-radius: 7px; color: $muted; }
QToolButton#segment:hover { background: $hover; }
QToolButton#segment:checked { background: $panel; border-color: $border; color: $text; font-weight: 600; }
QToolButton#segment:focus { border-color: $accent; }
#flatTable { border: 0; border-radius: 0; background: $panel; }
#tableHolder { background: $panel; border: 0; }

/* splitters and scroll bars */
QSplitter::handle { background: transparent; }
QScrollArea { background: transparent; border: 0; }
QScrollArea:focus { border: 1px solid $accent; }
QScrollArea > QWidget > QWidget#content { background: transparent; }
QScrollBar:vertical { background: transparent; width: 10px; margin: 2px; }
QScrollBar::handle:vertical { background: $border; border-radius: 3px; min-height: 32px; }
QScrollBar::handle:vertical:hover { background: $muted; }
QScrollBar:horizontal { background: transparent; height: 10px; margin: 2px; }
QScrollBar::handle:horizontal { background: $border; border-radius: 3px; min-width: 32px; }
QScrollBar::handle:horizontal:hover { background: $muted; }
QScrollBar::add-line, QScrollBar::sub-line, QScrollBar::add-page, QScrollBar::sub-page {
    background: none; border: 0; width: 0; height: 0; }
"""
