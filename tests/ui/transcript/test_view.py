from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import QEvent, QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent, QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu
from pytestqt.qtbot import QtBot

from tests.ui.transcript.conftest import answer, conversation, user
from workbench.core.errors import ErrorInfo
from workbench.ui.tokens import DARK, LIGHT
from workbench.ui.transcript import TranscriptItem, TranscriptView
from workbench.ui.transcript.pieces import MAX_DOCUMENTS
from workbench.ui.transcript.targets import Kind

Place = Callable[..., QPoint]
LEFT = Qt.MouseButton.LeftButton


def drag(view: TranscriptView, start: QPoint, end: QPoint) -> None:
    viewport = view.viewport()
    QTest.mousePress(viewport, LEFT, pos=start)
    QTest.mouseMove(viewport, (start + end) / 2)
    QTest.mouseMove(viewport, end)
    QTest.mouseRelease(viewport, LEFT, pos=end)


def bar_point(view: TranscriptView, key: str, kind: Kind, value: str = "") -> QPoint:
    """Where a target is, found as a user would: by moving the mouse over the message."""
    viewport = view.viewport()
    index = view.board.stack.index(key)
    row = view.board.stack.rows[index]
    top = view.board.stack.tops[index] - view.verticalScrollBar().value()
    hover = QPoint(int(view.board.left + row.width / 2), int(top + row.height / 2))
    QTest.mouseMove(viewport, hover)
    for y in range(int(top), int(top + row.height), 4):
        for x in range(int(view.board.left), int(view.board.left + row.width), 4):
            target = view.target_at(QPointF(x, y))
            if target is not None and target.kind is kind and target.value == value:
                return QPoint(x + 2, y + 2)
    raise AssertionError(f"no {kind} in {key}")


class TestItems:
    def test_a_message_asked_for_before_the_view_is_seen_is_shown_then(self, qtbot: QtBot) -> None:
        hidden = TranscriptView()
        qtbot.addWidget(hidden)
        hidden.set_items(conversation(100))
        hidden.scroll_to("m40")
        hidden.resize(700, 500)
        hidden.show()
        qtbot.waitExposed(hidden)
        hidden.viewport().repaint()
        top = hidden.board.stack.tops[40] - hidden.verticalScrollBar().value()
        assert top == pytest.approx(12, abs=2)
        hidden.hide()
        hidden.scroll_to("m20")
        hidden.set_items(conversation(60))  # another conversation is shown from its end
        hidden.show()
        assert hidden.following

    def test_it_opens_at_the_end(self, view: TranscriptView) -> None:
        view.set_items(conversation(100))
        view.viewport().repaint()
        assert view.following
        assert view.verticalScrollBar().value() == view.verticalScrollBar().maximum() > 0

    def test_only_what_is_seen_is_rendered(self, view: TranscriptView) -> None:
        view.set_items(conversation(1000))
        view.viewport().repaint()
        assert 0 < len(view.board.documents) < 20
        for _ in range(60):
            view.scroll_by(-400)
            view.viewport().repaint()
        assert len(view.board.documents) <= MAX_DOCUMENTS

    def test_update_and_remove(self, view: TranscriptView) -> None:
        view.set_items([user("a", "one"), answer("b", "two")])
        view.update_item("b", answer("b", "three"))
        view.viewport().repaint()
        view.remove_item("a")
        assert [item.text for item in view.items] == ["three"]
        view.append_item(user("c", "four"))
        assert view.item("c") is not None and view.item("a") is None
        with pytest.raises(KeyError):
            view.update_item("a", user("a", ""))

    def test_an_empty_transcript_paints_and_takes_input(self, view: TranscriptView, qtbot: QtBot) -> None:
        view.set_items([])
        view.viewport().repaint()
        qtbot.mouseClick(view.viewport(), LEFT, pos=QPoint(50, 50))
        for key in (Qt.Key.Key_Down, Qt.Key.Key_End, Qt.Key.Key_Return, Qt.Key.Key_A):
            qtbot.keyClick(view, key, Qt.KeyboardModifier.ControlModifier)
        assert view.selected_text() == ""

    def test_every_kind_of_message_paints(self, view: TranscriptView) -> None:
        error = ErrorInfo(kind="x", message="It broke. " * 30, hint="Mend it.", detail="trace")
        for width in (170, 420, 1200):
            view.resize(width, 400)
            view.set_items(
                [
                    TranscriptItem(key="s", role="system", text="Be short."),
                    user("u", "# Hi", attachments=("a.txt", "b" * 300), sibling=(2, 3)),
                    answer("a", "", error=error, reasoning="hm", reasoning_s=75.0, footer="f" * 500),
                    TranscriptItem(key="t", role="tool", text="{}"),
                    TranscriptItem(key="n", role="notice", text="Note"),
                    answer("e", ""),
                ]
            )
            view.set_expanded("a", True)
            assert not view.grab().isNull()


class TestScrolling:
    def test_heights_corrected_while_scrolling_up_do_not_move_what_is_read(self, view: TranscriptView) -> None:
        view.set_items(conversation(300))
        view.viewport().repaint()
        for _ in range(40):
            anchor = view.board.stack.at(view.verticalScrollBar().value() + view.viewport().height() - 5)
            before = view.board.stack.tops[anchor] - view.verticalScrollBar().value()
            view.scroll_by(-120)
            view.viewport().repaint()
            after = view.board.stack.tops[anchor] - view.verticalScrollBar().value()
            assert after - before == pytest.approx(120, abs=2)

    def test_it_follows_only_while_the_user_is_at_the_end(self, view: TranscriptView, qtbot: QtBot) -> None:
        view.set_items([*conversation(20), answer("live", "", streaming=True)])
        view.begin_stream("live")
        view.viewport().repaint()
        bar = view.verticalScrollBar()
        for number in range(30):
            view.feed("live", f"Line {number}\n\n")
            view.flush()
            assert bar.value() == bar.maximum()
        with qtbot.waitSignal(view.following_changed):
            view.scroll_by(-300)
        value = bar.value()
        for number in range(30):
            view.feed("live", f"More {number}\n\n")
            view.flush()
            view.viewport().repaint()
        assert bar.value() == value < bar.maximum() - 500
        assert view.jump.isVisible()
        qtbot.mouseClick(view.jump, LEFT)
        assert view.following and bar.value() == bar.maximum()
        assert not view.jump.isVisible()

    def test_scroll_to_a_message_far_away(self, view: TranscriptView) -> None:
        view.set_items(conversation(500))
        view.scroll_to("m100")
        view.viewport().repaint()
        top = view.board.stack.tops[view.board.stack.index("m100")] - view.verticalScrollBar().value()
        assert 0 <= top < 40
        assert not view.following

    def test_a_new_width_keeps_what_is_read(self, view: TranscriptView) -> None:
        view.set_items(conversation(200))
        view.scroll_to("m80")
        view.viewport().repaint()
        view.resize(420, 500)
        view.viewport().repaint()
        top = view.board.stack.tops[view.board.stack.index("m80")] - view.verticalScrollBar().value()
        assert -5 <= top < 60


class TestStreaming:
    def test_text_reasoning_and_end(self, view: TranscriptView) -> None:
        view.set_items([user("u", "why?"), answer("a", "", streaming=True)])
        view.begin_stream("a")
        view.set_status("a", "Reading the prompt, 40 %")
        view.viewport().repaint()
        view.feed("a", reasoning="Let me think. ")
        view.flush()
        view.feed("a", "The **answer** is")
        view.flush()
        view.feed("a", " 42.")
        view.flush()
        view.viewport().repaint()
        row = view.board.stack.rows[1]
        piece = row.pieces_of("body")[0]
        streamed = view.board.rendering(piece).markdown
        view.end_stream("a", answer("a", "The **answer** is 42.", reasoning="Let me think. ", reasoning_s=1.0))
        assert view.board.rendering(row.pieces_of("body")[0]).markdown is streamed, "it was rendered again"
        assert streamed.finished
        assert streamed.document.toPlainText() == "The answer is 42."
        assert row.reasoning_label() == "Thought for 1.0 s"
        assert not row.item.streaming

    def test_a_complete_answer_is_continued(self, view: TranscriptView) -> None:
        view.set_items([answer("a", "One, **two")])
        view.viewport().repaint()
        view.begin_stream("a")
        view.feed("a", ", three**.")
        view.flush()
        view.viewport().repaint()
        document = view.board.rendering(view.board.stack.rows[0].pieces[0]).markdown.document
        assert document.toPlainText() == "One, two, three."
        view.end_stream("a", answer("a", "One, **two, three**."))

    def test_a_last_state_other_than_what_was_streamed_wins(self, view: TranscriptView) -> None:
        view.set_items([answer("a", "", streaming=True)])
        view.begin_stream("a")
        view.feed("a", "half an ans")
        view.flush()
        view.end_stream("a", answer("a", "Something else"))
        view.viewport().repaint()
        assert view.board.rendering(view.board.stack.rows[0].pieces[0]).markdown.source == "Something else"

    def test_a_stream_survives_themes_sizes_and_scrolling_away(self, view: TranscriptView) -> None:
        view.set_items([*conversation(60), answer("a", "", streaming=True)])
        view.begin_stream("a")
        text = "\n\n".join(f"Paragraph {i} with **bold** words." for i in range(40))
        for start in range(0, len(text), 50):
            view.feed("a", text[start : start + 50])
            if start == 500:
                view.set_tokens(DARK)
            if start == 700:
                view.set_text_scale(150)
            if start == 900:
                view.scroll_to("m0")
            view.flush()
            view.viewport().repaint()
        view.end_stream("a", answer("a", text))
        view.scroll_to_end()
        view.viewport().repaint()
        document = view.board.rendering(view.board.stack.rows[-1].pieces[-1]).markdown.document
        assert document.toPlainText().endswith("Paragraph 39 with bold words.")

    def test_a_very_long_answer_is_cut_into_pieces_the_same_way_at_once_and_streamed(
        self, view: TranscriptView
    ) -> None:
        text = (
            "\n\n".join(f"Paragraph {i}: " + "words and words " * 30 for i in range(300)) + "\n\n```\n" + "x\n" * 40_000
        )
        view.set_items([answer("once", text), answer("live", "", streaming=True)])
        once = view.board.stack.rows[0]
        once.load()
        view.begin_stream("live")
        for start in range(0, len(text), 997):
            view.feed("live", text[start : start + 997])
        view.flush()
        view.end_stream("live", answer("live", text))
        live = view.board.stack.rows[1]
        assert len(once.pieces) > 5
        assert [piece.source for piece in live.pieces] == [piece.source for piece in once.pieces]
        assert "".join(piece.source for piece in once.pieces) == text

    def test_a_megabyte_is_shown_at_once(self, view: TranscriptView) -> None:
        view.set_items([answer("a", "word **bold** `code`\n\n" * 45_000)])
        view.viewport().repaint()
        assert len(view.board.documents) <= 3
        view.verticalScrollBar().setValue(0)
        view.viewport().repaint()
        assert len(view.board.documents) <= 6


class TestSelection:
    def test_dragging_over_messages(self, view: TranscriptView, point_of: Place) -> None:
        view.set_items([user("u", "first question"), answer("a", "the **bold** answer"), user("v", "last words")])
        drag(view, point_of("u", "question"), point_of("v", "words"))
        assert view.selected_text() == "question\n\nthe bold answer\n\nlast "
        assert view.selected_text(markdown=True) == "question\n\nthe **bold** answer\n\nlast "

    def test_double_click_takes_a_word_and_triple_click_a_paragraph(
        self, view: TranscriptView, point_of: Place
    ) -> None:
        view.set_items([answer("a", "alpha beta gamma\n\nsecond one")])
        point = point_of("a", "beta", 1)
        QTest.mouseDClick(view.viewport(), LEFT, pos=point)
        assert view.selected_text() == "beta"
        QTest.mousePress(view.viewport(), LEFT, pos=point)
        QTest.mouseRelease(view.viewport(), LEFT, pos=point)
        assert view.selected_text() == "alpha beta gamma"

    def test_shift_extends(self, view: TranscriptView, point_of: Place, qtbot: QtBot) -> None:
        view.set_items([answer("a", "alpha beta gamma delta")])
        drag(view, point_of("a", "beta"), point_of("a", "gamma"))
        QTest.mouseClick(view.viewport(), LEFT, Qt.KeyboardModifier.ShiftModifier, point_of("a", "delta"))
        assert view.selected_text() == "beta gamma "
        qtbot.keyClick(view, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
        assert view.selected_text() == "beta gamma d"

    def test_select_all_and_copy(self, view: TranscriptView, qtbot: QtBot) -> None:
        view.set_items(conversation(60))
        qtbot.keyClick(view, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
        qtbot.keyClick(view, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
        text = QGuiApplication.clipboard().text()
        assert text.startswith("Message number 0.")
        assert "Message number 59." in text
        assert text.count("• one") == 30

    def test_a_click_clears_and_other_buttons_do_nothing(self, view: TranscriptView, point_of: Place) -> None:
        view.set_items([answer("a", "alpha beta gamma")])
        drag(view, point_of("a", "beta"), point_of("a", "gamma"))
        QTest.mouseClick(view.viewport(), Qt.MouseButton.MiddleButton, pos=point_of("a", "alpha"))
        assert view.selected_text() == "beta "
        QTest.mouseClick(view.viewport(), LEFT, pos=point_of("a", "beta", 1))
        assert view.selected_text() == ""

    def test_it_scrolls_while_dragging_beyond_the_edge(self, view: TranscriptView, qtbot: QtBot) -> None:
        view.set_items(conversation(60))
        view.viewport().repaint()
        value = view.verticalScrollBar().value()
        QTest.mousePress(view.viewport(), LEFT, pos=QPoint(300, 200))
        QTest.mouseMove(view.viewport(), QPoint(300, 100))
        QTest.mouseMove(view.viewport(), QPoint(300, -40))
        qtbot.waitUntil(lambda: view.verticalScrollBar().value() < value - 300)
        QTest.mouseRelease(view.viewport(), LEFT, pos=QPoint(300, -40))
        assert len(view.selected_text()) > 200
        assert not view.mouse._auto_scroll.isActive()

    def test_it_survives_a_new_theme(self, view: TranscriptView, point_of: Place) -> None:
        view.set_items([answer("a", "alpha beta gamma")])
        drag(view, point_of("a", "beta"), point_of("a", "gamma"))
        view.set_tokens(DARK)
        view.viewport().repaint()
        assert view.selected_text() == "beta "


class TestActions:
    def test_links_are_told_not_opened(self, view: TranscriptView, point_of: Place, qtbot: QtBot) -> None:
        view.set_items([answer("a", "see [the paper](https://e.org/p) there")])
        point = point_of("a", "paper")
        with qtbot.waitSignal(view.link_hovered) as hovered:
            QTest.mouseMove(view.viewport(), point)
        assert hovered.args == ["https://e.org/p"]
        with qtbot.waitSignal(view.link_activated) as activated:
            qtbot.mouseClick(view.viewport(), LEFT, pos=point)
        assert activated.args == ["https://e.org/p"]

    def test_the_bar_appears_on_hover(self, view: TranscriptView, qtbot: QtBot) -> None:
        view.set_items([user("u", "hello"), answer("a", "an answer")])
        view.viewport().repaint()
        with qtbot.waitSignal(view.action_requested) as requested:
            qtbot.mouseClick(view.viewport(), LEFT, pos=bar_point(view, "a", Kind.ACTION, "regenerate"))
        assert requested.args == ["a", "regenerate"]
        qtbot.mouseClick(view.viewport(), LEFT, pos=bar_point(view, "u", Kind.ACTION, "copy"))
        assert QGuiApplication.clipboard().text() == "hello"

    def test_versions(self, view: TranscriptView, qtbot: QtBot) -> None:
        view.set_items([user("u", "hello", sibling=(2, 3))])
        view.viewport().repaint()
        with qtbot.waitSignal(view.action_requested) as requested:
            qtbot.mouseClick(view.viewport(), LEFT, pos=bar_point(view, "u", Kind.NEXT))
        assert requested.args == ["u", "next_sibling"]

    def test_reasoning_unfolds(self, view: TranscriptView, qtbot: QtBot) -> None:
        view.set_items([answer("a", "text", reasoning="deep thought", reasoning_s=3.21)])
        view.viewport().repaint()
        height = view.board.stack.rows[0].height
        qtbot.mouseClick(view.viewport(), LEFT, pos=bar_point(view, "a", Kind.TOGGLE))
        view.viewport().repaint()
        assert view.board.stack.rows[0].height > height
        view.select_all()
        assert view.selected_text() == "deep thought\n\ntext"

    def test_copying_code_and_wrapping_it(self, view: TranscriptView, qtbot: QtBot) -> None:
        line = "x = " + "1 + " * 100 + "1"
        view.set_items([answer("a", f"- item\n  ```py\n  a = 1\n\n  {line}\n  ```\n")])
        view.viewport().repaint()
        with qtbot.waitSignal(view.code_copied):
            qtbot.mouseClick(view.viewport(), LEFT, pos=bar_point(view, "a", Kind.COPY_CODE))
        assert QGuiApplication.clipboard().text() == f"a = 1\n\n{line}"
        rendering = view.board.rendering(view.board.stack.rows[0].pieces[0])
        panel = rendering.panels.all()[0]
        assert rendering.panels.overflow(panel) > 100
        height = view.board.stack.rows[0].height
        qtbot.mouseClick(view.viewport(), LEFT, pos=bar_point(view, "a", Kind.WRAP_CODE))
        view.viewport().repaint()
        assert view.board.stack.rows[0].height > height
        assert rendering.panels.overflow(rendering.panels.all()[0]) == 0

    def test_error_details_are_copied(self, view: TranscriptView, qtbot: QtBot) -> None:
        error = ErrorInfo(kind="x", message="It broke.", hint="Mend it.", detail="HTTP 500")
        view.set_items([answer("a", "", error=error)])
        view.viewport().repaint()
        qtbot.mouseClick(view.viewport(), LEFT, pos=bar_point(view, "a", Kind.COPY_ERROR))
        assert QGuiApplication.clipboard().text() == "It broke.\nMend it.\nHTTP 500"

    def test_files_are_dropped(self, view: TranscriptView, qtbot: QtBot) -> None:
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile("/tmp/a.txt"), QUrl("https://e.org/x")])
        event = QDropEvent(
            QPointF(10, 10),
            Qt.DropAction.CopyAction,
            data,
            LEFT,
            Qt.KeyboardModifier.NoModifier,
            QEvent.Type.Drop,
        )
        with qtbot.waitSignal(view.files_dropped) as dropped:
            view.dropEvent(event)
        assert dropped.args == [["/tmp/a.txt"]]


class TestKeyboard:
    def test_from_message_to_message(self, view: TranscriptView, qtbot: QtBot) -> None:
        view.set_items(conversation(10))
        view.activateWindow()
        view.clearFocus()
        view.setFocus(Qt.FocusReason.TabFocusReason)
        qtbot.waitUntil(lambda: view.current == 9)
        qtbot.keyClick(view, Qt.Key.Key_Up, Qt.KeyboardModifier.ControlModifier)
        assert view.current == 8
        qtbot.keyClick(view, Qt.Key.Key_Home)
        assert view.current == 0
        assert view.verticalScrollBar().value() < 30
        qtbot.keyClick(view, Qt.Key.Key_Down, Qt.KeyboardModifier.ControlModifier)
        qtbot.keyClick(view, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
        assert QGuiApplication.clipboard().text().startswith("Message number 1.")
        qtbot.keyClick(view, Qt.Key.Key_Escape)
        assert view.current == -1

    def test_enter_opens_the_menu(self, view: TranscriptView, qtbot: QtBot) -> None:
        view.set_items([answer("a", "text", reasoning="hm")])
        view.set_current(0)
        qtbot.keyClick(view, Qt.Key.Key_Return)
        qtbot.waitUntil(lambda: QApplication.activePopupWidget() is not None)
        menu = QApplication.activePopupWidget()
        assert isinstance(menu, QMenu)
        titles = [action.text() for action in menu.actions() if action.text()]
        assert titles == ["Copy", "Regenerate", "Delete", "Show thoughts", "Select all"]
        with qtbot.waitSignal(view.action_requested) as requested:
            next(action for action in menu.actions() if action.text() == "Delete").trigger()
        assert requested.args == ["a", "delete"]
        menu.close()

    def test_the_window_may_show_its_own_menu(self, view: TranscriptView, qtbot: QtBot) -> None:
        view.set_items([answer("a", "text")])
        view.set_current(0)
        with qtbot.waitSignal(view.context_menu_requested) as requested:
            qtbot.keyClick(view, Qt.Key.Key_Return)
        assert requested.args is not None and requested.args[0] == "a"
        assert QApplication.activePopupWidget() is None

    def test_space_unfolds_the_reasoning(self, view: TranscriptView, qtbot: QtBot) -> None:
        view.set_items([answer("a", "text", reasoning="hm")])
        view.set_current(0)
        qtbot.keyClick(view, Qt.Key.Key_Space)
        assert view.board.stack.rows[0].expanded


class TestFind:
    def test_hits_are_counted_and_gone_through(self, view: TranscriptView) -> None:
        items = conversation(200)
        items[30] = answer("m30", "A needle **in** the hay. Another NEEDLE.")
        items[150] = user("m150", "one nee**dle** split by markup")
        view.set_items(items)
        assert view.find("needle") == 3
        assert view.finder.place == (3, 3)
        assert view.find_next(backwards=True) == (2, 3)
        view.viewport().repaint()
        index = view.board.stack.index("m30")
        top = view.board.stack.tops[index] - view.verticalScrollBar().value()
        assert 0 < top < view.viewport().height()
        assert view.find("needle in the") == 1
        assert view.find("") == 0
        assert view.find_next() == (0, 0)


class TestLook:
    @pytest.mark.parametrize("scale", [80, 100, 200])
    def test_text_scale(self, view: TranscriptView, scale: int) -> None:
        view.set_items(conversation(30))
        view.set_text_scale(scale)
        view.viewport().repaint()
        assert view.text_scale == scale
        assert view.board.metrics.body.text_px == round(14 * scale / 100)
        assert view.following

    def test_scale_is_held_within_bounds(self, view: TranscriptView) -> None:
        view.set_text_scale(10)
        assert view.text_scale == 80
        view.set_text_scale(999)
        assert view.text_scale == 200

    def test_a_theme_changes_colours_and_nothing_else(self, view: TranscriptView) -> None:
        view.set_items(conversation(100))
        view.set_tokens(LIGHT)
        view.scroll_to("m40")
        view.viewport().repaint()
        value = view.verticalScrollBar().value()
        light = view.grab().toImage().pixelColor(5, 5)
        view.set_tokens(DARK)
        view.viewport().repaint()
        assert view.grab().toImage().pixelColor(5, 5) != light
        assert view.verticalScrollBar().value() == pytest.approx(value, abs=2)


def with_buttons(view: TranscriptView) -> list[str]:
    """Keys of the messages that show their buttons while the mouse is elsewhere."""
    view.viewport().repaint()
    view.set_hover(-1, None)
    points = (QPointF(x, y) for y in range(0, view.viewport().height(), 4) for x in range(0, view.width(), 8))
    targets = [target for point in points if (target := view.target_at(point)) is not None]
    return sorted({view.items[target.row].key for target in targets if target.kind is Kind.MENU})


def test_the_button_of_an_error_stays_in_its_box(view: TranscriptView) -> None:
    error = ErrorInfo(kind="x", message="It broke.", hint="Mend it.", detail="HTTP 500")
    view.set_items([answer("a", "", error=error)])
    view.resize(130, 400)
    view.viewport().repaint()
    places = view.board.stack.rows[0].places
    assert places.error.contains(places.error_button)


class TestLastAnswer:
    def test_it_keeps_its_buttons_and_the_others_have_them_when_pointed_at(self, view: TranscriptView) -> None:
        view.set_items(
            [user("q", "one"), answer("a", "two", footer="3 tokens"), answer("b", "three", footer="4 tokens")]
        )
        assert with_buttons(view) == ["b"]
        assert bar_point(view, "a", Kind.MENU)
        view.append_item(answer("c", "", streaming=True))
        assert with_buttons(view) == []

    def test_buttons_that_would_cut_the_footer_wait_for_the_mouse(self, view: TranscriptView) -> None:
        view.set_items([answer("b", "three", footer="a long line of numbers " * 5)])
        assert with_buttons(view) == []
        assert bar_point(view, "b", Kind.MENU)

    def test_the_menu_opens_below_its_button(self, view: TranscriptView, qtbot: QtBot) -> None:
        view.set_items([answer("a", "text")])
        place = bar_point(view, "a", Kind.MENU)
        with qtbot.waitSignal(view.context_menu_requested) as requested:
            qtbot.mouseClick(view.viewport(), LEFT, pos=place)
        assert requested.args is not None
        position = view.viewport().mapFromGlobal(requested.args[1])
        assert abs(position.x() - place.x()) < 20
        assert 0 < position.y() - place.y() < 30
