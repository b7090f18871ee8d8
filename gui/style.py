"""The style sheet; ``$name`` is a token of `gui.theme`, ``$pt10`` a size of text."""

from __future__ import annotations

__all__ = ["STYLE"]

STYLE = """
* { font-size: $pt10; }
QMainWindow, QDialog, #canvas { background: $canvas; }
QWidget { color: $text; }
QToolTip { background: $surface; color: $text; border: 1px solid $border_strong; padding: 6px 8px; }

/* text */
QLabel[role="title"] { font-size: $pt18; font-weight: 600; }
QLabel[role="heading"] { font-size: $pt13; font-weight: 600; }
QLabel[role="subheading"] { font-size: $pt11; font-weight: 600; }
QLabel[role="muted"] { color: $muted; }
QLabel[role="caption"] { color: $muted; font-size: $pt9; }
QLabel[role="error"] { color: $error; }
QLabel[role="warn"] { color: $warn; }
QLabel[role="ok"] { color: $ok; }
QLabel[role="field"] { color: $muted; }
QLabel[role="field"][modified="true"] { color: $accent; font-weight: 600; }
QLabel[role="section"] { font-size: $pt11; font-weight: 600; }
QLabel[role="hint"] { color: $muted; font-size: $pt9; }
QLabel[role="unit"] { color: $faint; background: transparent; }
QLabel[role="warning"] { color: $warn; }
QLabel[role="number"] { font-size: $pt13; font-weight: 600; }
QLabel[role="mono"], QPlainTextEdit[role="mono"], QTextEdit[role="mono"] { font-family: "DejaVu Sans Mono", "Menlo", "Consolas", monospace; }

/* surfaces */
QFrame[role="card"] { background: $surface; border: 1px solid $border; border-radius: 8px; }
QFrame[role="well"] { background: $sunken; border: none; border-radius: 8px; }
QFrame[role="line"] { background: $border; border: none; max-height: 1px; min-height: 1px; }
QFrame[role="banner"][tone="info"] { background: $accent_soft; border: none; border-radius: 8px; }
QFrame[role="banner"][tone="ok"] { background: $ok_soft; border: none; border-radius: 8px; }
QFrame[role="banner"][tone="warn"] { background: $warn_soft; border: none; border-radius: 8px; }
QFrame[role="banner"][tone="error"] { background: $error_soft; border: none; border-radius: 8px; }

QFrame[role="banner"][floats="true"][tone="info"] { border: 1px solid $accent; }
QFrame[role="banner"][floats="true"][tone="ok"] { border: 1px solid $ok; }
QFrame[role="banner"][floats="true"][tone="warn"] { border: 1px solid $warn; }
QFrame[role="banner"][floats="true"][tone="error"] { border: 1px solid $error; }
QFrame[role="bar"] { background: $surface; border: none; border-top: 1px solid $border; }
QFrame[role="rail"] { background: $surface; border: none; border-right: 1px solid $border; }
QFrame[role="side"] { background: $surface; border: none; border-left: 1px solid $border; }
QFrame[role="popup"] { background: $surface; border: 1px solid $border_strong; border-radius: 12px; }
QFrame[role="choice"] { background: $surface; border: 1px solid $border; border-radius: 12px; }
QFrame[role="choice"]:hover { border-color: $accent; }
QFrame[role="choice"]:focus { border: 1px solid $accent; }
QFrame[role="drop"] { background: $accent_soft; border: 2px dashed $accent; border-radius: 16px; }

/* buttons */
QPushButton, QToolButton[role="button"] {
    background: $surface; border: 1px solid $border_strong; border-radius: 6px; padding: 5px 14px; min-height: 20px;
}
QPushButton:hover, QToolButton[role="button"]:hover { background: $hover; }
QPushButton:pressed { background: $sunken; }
QPushButton:focus, QToolButton[role="button"]:focus { border: 1px solid $accent; }
QPushButton:disabled { color: $faint; border-color: $border; background: $canvas; }
QPushButton[role="primary"] { background: $accent; color: $on_accent; border: 1px solid $accent; font-weight: 600; }
QPushButton[role="primary"]:hover { background: $accent_hover; border-color: $accent_hover; }
QPushButton[role="primary"]:focus { border: 1px solid $text; }
QPushButton[role="primary"]:disabled { background: $sunken; color: $faint; border-color: $sunken; }
QPushButton[role="danger"] { color: $error; border-color: $error; }
QPushButton[role="danger"]:hover { background: $error_soft; }
QPushButton[role="flat"] { background: transparent; border: 1px solid transparent; color: $accent; }
QPushButton[role="flat"]:hover { background: $hover; }
QPushButton[role="flat"]:focus { border-color: $accent; }
QPushButton[role="flat"]:disabled { color: $faint; }
QPushButton[role="flat"]:checked { background: $accent_soft; }
QPushButton[role="chip"] { background: $accent_soft; color: $accent; border: 1px solid transparent; border-radius: 10px; padding: 0px 10px; min-height: 18px; font-size: $pt9; }
QPushButton[role="chip"]:hover, QPushButton[role="chip"]:focus { border-color: $accent; }
QPushButton[role="chip-warn"] { background: $warn_soft; color: $warn; border: 1px solid transparent; border-radius: 10px; padding: 0px 10px; min-height: 18px; font-size: $pt9; font-weight: 600; }
QPushButton[role="chip-warn"]:hover, QPushButton[role="chip-warn"]:focus { border-color: $warn; }
QPushButton[role="link"] { background: transparent; border: 1px solid transparent; border-radius: 4px; color: $accent; padding: 0px 6px; min-height: 16px; }
QPushButton[role="link"]:hover { background: $hover; }
QPushButton[role="link"]:focus { border-color: $accent; }
QPushButton[role="link"]:disabled { color: $faint; }
QPushButton[role="toggle"] { background: transparent; color: $muted; border: 1px solid $border; border-radius: 10px; padding: 0px 10px; min-height: 18px; font-size: $pt9; }
QPushButton[role="toggle"]:hover, QPushButton[role="toggle"]:focus { border-color: $accent; }
QPushButton[role="toggle"]:checked { background: $accent_soft; color: $accent; border-color: $accent_soft; }
QPushButton[role="name"] { background: transparent; border: 1px solid transparent; border-radius: 4px; padding: 2px 4px; min-height: 18px; text-align: left; }
QPushButton[role="name"]:hover { color: $accent; }
QPushButton[role="name"]:focus { border-color: $accent; }
QPushButton[role="row"] { background: transparent; border: 1px solid transparent; border-radius: 6px; padding: 4px 8px; text-align: left; }
QPushButton[role="row"]:hover { background: $hover; }
QPushButton[role="row"]:focus { border-color: $accent; }
QToolButton[role="page"] { border-radius: 8px; color: $muted; font-size: $pt9; padding: 6px 0px 2px 0px; }
QToolButton[role="page"]:hover { background: $hover; color: $text; }
QToolButton[role="page"]:checked { background: $accent_soft; color: $accent; font-weight: 600; }
QToolButton[role="page"]:focus { border: 1px solid $accent; }
QToolButton::menu-indicator { image: none; width: 0; }
QPushButton[role="fold"] { background: transparent; border: 1px solid transparent; padding: 4px 8px 4px 2px; font-weight: 600; text-align: left; }
QPushButton[role="fold"]:hover { color: $accent; }
QPushButton[role="fold"]:focus { border-color: $accent; }
QFrame[role="segments"] { background: $sunken; border: none; border-radius: 8px; }
QPushButton[role="segment"] { background: transparent; border: 1px solid transparent; border-radius: 6px; padding: 3px 14px; color: $muted; min-height: 20px; }
QPushButton[role="segment"]:hover { color: $text; }
QPushButton[role="segment"]:checked { background: $surface; color: $text; border-color: $border; font-weight: 600; }
QPushButton[role="segment"]:focus { border-color: $accent; }
QPushButton[role="segment"]:disabled { color: $faint; }
QToolButton { background: transparent; border: 1px solid transparent; border-radius: 6px; padding: 4px; }
QToolButton:hover { background: $hover; }
QToolButton[role="fold"] { font-weight: 600; padding: 4px 8px 4px 2px; }
QToolButton[role="fold"]:hover { color: $accent; background: transparent; }
QToolButton[role="fold"]:checked { background: transparent; color: $text; }
QToolButton:checked { background: $accent_soft; color: $accent; }
QToolButton:focus { border: 1px solid $accent; }
QToolButton:disabled { color: $faint; }

/* fields */
QLineEdit, QSpinBox, QDoubleSpinBox, QComboBox, QPlainTextEdit, QTextEdit {
    background: $surface; border: 1px solid $border_strong; border-radius: 6px; padding: 4px 8px; min-height: 20px;
    selection-background-color: $accent; selection-color: $on_accent;
}
QLineEdit:focus, QSpinBox:focus, QDoubleSpinBox:focus, QComboBox:focus, QPlainTextEdit:focus, QTextEdit:focus { border: 1px solid $accent; }
QLineEdit:disabled, QSpinBox:disabled, QDoubleSpinBox:disabled, QComboBox:disabled { color: $faint; background: $canvas; border-color: $border; }
QLineEdit[invalid="true"], QSpinBox[invalid="true"], QDoubleSpinBox[invalid="true"], QComboBox[invalid="true"] { border: 1px solid $error; }
QComboBox::drop-down { border: none; width: 24px; }
QComboBox::down-arrow, QSpinBox::down-arrow, QDoubleSpinBox::down-arrow { image: url($icon_down); width: 12px; height: 12px; }
QSpinBox::up-arrow, QDoubleSpinBox::up-arrow { image: url($icon_up); width: 12px; height: 12px; }
QSpinBox, QDoubleSpinBox { padding: 4px 4px 4px 8px; }
QSpinBox::up-button, QDoubleSpinBox::up-button, QSpinBox::down-button, QDoubleSpinBox::down-button { background: transparent; border: none; width: 20px; subcontrol-origin: border; margin: 1px; }
QSpinBox::up-button, QDoubleSpinBox::up-button { subcontrol-position: top right; border-top-right-radius: 6px; }
QSpinBox::down-button, QDoubleSpinBox::down-button { subcontrol-position: bottom right; border-bottom-right-radius: 6px; }
QSpinBox::up-button:hover, QDoubleSpinBox::up-button:hover, QSpinBox::down-button:hover, QDoubleSpinBox::down-button:hover { background: $hover; }
QComboBox QAbstractItemView { background: $surface; border: 1px solid $border_strong; selection-background-color: $accent_soft; selection-color: $text; outline: none; padding: 4px; }
QCheckBox, QRadioButton { spacing: 8px; }
QCheckBox:disabled, QRadioButton:disabled { color: $faint; }
QCheckBox::indicator, QRadioButton::indicator, QAbstractItemView::indicator { width: 14px; height: 14px; background: $surface; border: 1px solid $border_strong; border-radius: 4px; }
QRadioButton::indicator { border-radius: 8px; }
QCheckBox::indicator:hover, QRadioButton::indicator:hover, QCheckBox::indicator:focus, QRadioButton::indicator:focus { border: 1px solid $accent; }
QCheckBox:focus, QRadioButton:focus { color: $accent; }
QCheckBox::indicator:checked, QAbstractItemView::indicator:checked { background: $accent; border: 1px solid $accent; image: url($icon_check); }
QRadioButton::indicator:checked { background: $accent; border: 1px solid $accent; image: url($icon_dot); }
QCheckBox::indicator:disabled, QRadioButton::indicator:disabled { background: $sunken; border: 1px solid $border; }
QSlider:horizontal { min-height: 20px; }
QSlider::groove:horizontal { height: 4px; background: $sunken; border-radius: 2px; }
QSlider::sub-page:horizontal { background: $accent; border-radius: 2px; }
QSlider::sub-page:horizontal:disabled { background: $border_strong; }
QSlider::handle:horizontal { background: $surface; border: 1px solid $border_strong; width: 14px; height: 14px; margin: -6px 0; border-radius: 8px; }
QSlider::handle:horizontal:focus, QSlider::handle:horizontal:hover { border: 1px solid $accent; }

/* lists, tables, tabs */
QAbstractItemView { background: $surface; border: 1px solid $border; border-radius: 6px; outline: none; alternate-background-color: $canvas;
    selection-background-color: $accent_soft; selection-color: $text; gridline-color: $border; }
QAbstractItemView::item { padding: 4px 8px; }
QAbstractItemView::item:hover { background: $hover; }
QAbstractItemView::item:selected { background: $accent_soft; color: $text; }
QListView[role="plain"] { border: none; background: transparent; }
QHeaderView { background: $surface; border: none; }
QHeaderView::section { background: $surface; color: $muted; border: none; border-bottom: 1px solid $border; padding: 6px 8px; font-weight: 600; }
QTabWidget::pane { border: none; border-top: 1px solid $border; }
QTabBar { qproperty-drawBase: 0; }
QTabBar::tab { background: transparent; color: $muted; border: none; border-bottom: 2px solid transparent; padding: 8px 12px; margin-right: 4px; }
QTabBar::tab:hover { color: $text; }
QTabBar::tab:selected { color: $text; border-bottom: 2px solid $accent; font-weight: 600; }
QTabBar::tab:focus { color: $accent; }

/* bars */
QProgressBar { background: $sunken; border: none; border-radius: 3px; min-height: 6px; max-height: 6px; }
QProgressBar::chunk { background: $accent; border-radius: 3px; }
QScrollArea { background: transparent; border: none; }
QScrollArea > QWidget > QWidget { background: transparent; }
QScrollBar:vertical { background: transparent; width: 10px; margin: 0; }
QScrollBar:horizontal { background: transparent; height: 10px; margin: 0; }
QScrollBar::handle { background: $border_strong; border-radius: 4px; margin: 1px; }
QScrollBar::handle:vertical { min-height: 32px; }
QScrollBar::handle:horizontal { min-width: 32px; }
QScrollBar::handle:hover { background: $faint; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
QSplitter::handle { background: transparent; }
QSplitter::handle:hover { background: $border; }

/* menus */
QMenuBar { background: $canvas; border-bottom: 1px solid $border; padding: 2px 8px; }
QMenuBar::item { padding: 4px 10px; border-radius: 6px; background: transparent; }
QMenuBar::item:selected { background: $hover; }
QMenu { background: $surface; border: 1px solid $border_strong; border-radius: 8px; padding: 6px; }
QMenu::item { padding: 6px 24px 6px 12px; border-radius: 4px; }
QMenu::item:selected { background: $accent_soft; }
QMenu::item:disabled { color: $faint; }
QMenu::separator { height: 1px; background: $border; margin: 6px 4px; }
"""
