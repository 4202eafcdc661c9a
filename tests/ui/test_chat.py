"""Chatting: send, stop, regenerate, edit, branch, continue, delete with undo, errors and what to do about them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

from PySide6.QtCore import QMimeData, QUrl
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QPushButton, QToolButton, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from tests.ui.driver import Driver
from workbench.core.messages import ImagePart
from workbench.ui.chat.attachments import AttachmentChip
from workbench.ui.chat.composer import Composer
from workbench.ui.chat.session_list import excerpt


def test_a_prompt_is_answered_and_kept(window: Driver) -> None:
    window.send("hello there")
    assert window.texts() == [("user", "hello there"), ("assistant", "1: hello there")]
    session = window.store.sessions()[0]
    assert session.title == "hello there"
    stored = [message.message.text.strip() for message in window.store.messages(session.id)]
    assert stored == ["hello there", "1: hello there"]
    assert window.composer.text == ""
    footer = window.page.conversation.view.items[1].footer
    assert "3 tokens" in footer and "41.2 tok/s" in footer


def test_shift_enter_breaks_the_line_and_the_composer_grows(window: Driver) -> None:
    window.composer.edit.setPlaceholderText("Ask")
    height = window.composer.edit.height()
    window.type("one")
    assert window.composer.edit.height() == height
    window.press("Shift+Return")
    window.type("two")
    assert window.composer.text == "one\ntwo"
    assert not window.state.path
    assert window.composer.edit.height() > height


def test_stop_keeps_what_has_come(window: Driver) -> None:
    window.use("fake:slow")
    window.type("go on")
    window.press("Return")
    window.wait(lambda: window.state.running_here and "word5" in window.state.running_here.buffer.text)
    assert window.composer.send.accessibleName() == "Stop"
    window.click(window.composer.send)
    window.wait_idle()
    assert "word5" in window.texts()[1][1]
    assert "stopped" in window.page.conversation.view.items[1].footer
    assert window.composer.send.accessibleName() == "Send"


def test_the_context_fills_while_an_answer_is_written(window: Driver) -> None:
    window.use("fake:slow")
    window.type("go on")
    window.press("Return")
    shown: set[str] = set()
    window.composer.meter.tokens.setText("")

    def grown() -> bool:
        shown.add(window.composer.meter.tokens.text())
        return len([text for text in shown if text.startswith("~")]) > 2

    window.wait(lambda: window.state.running_here is not None)
    window.wait(grown)
    window.shortcut("Esc")
    window.wait_idle()


def test_a_model_that_is_gone_is_named_with_what_to_do(window: Driver) -> None:
    window.use("local:gone")
    assert window.page.welcome.hint.text() == "local:gone is not available now. Choose another model above."
    window.use("/somewhere/mine.gguf")
    assert window.page.welcome.hint.text().startswith("mine.gguf is loaded with your first message.")


def test_the_defaults_of_the_loaded_model_stand_in_the_empty_fields(window: Driver) -> None:
    loaded = SimpleNamespace(default_sampling={"temperature": 0.6, "top_k": 20})
    model = SimpleNamespace(info=SimpleNamespace(id="fake:echo", path=""), loaded=loaded, count_tokens=lambda _m: 1)
    backend = window.program.slot.value
    assert backend is not None
    backend.catalog.loaded = lambda: [model]
    window.send("hello")
    window.wait(lambda: window.page.side_panel.sampling is not None)
    rows = window.page.side_panel.sampling.rows
    window.wait(lambda: rows["temperature"].field.placeholderText() == "Default 0.6")
    assert rows["top_k"].field.placeholderText() == "Default 20"
    assert rows["top_p"].field.placeholderText() == "Default"
    backend.catalog.loaded = list
    window.use("fake:other")
    window.wait(lambda: rows["temperature"].field.placeholderText() == "Default")


def test_escape_stops_too(window: Driver) -> None:
    window.use("fake:slow")
    window.type("go on")
    window.press("Return")
    window.wait(lambda: window.state.running_here and "word2" in window.state.running_here.buffer.text)
    window.shortcut("Esc")
    window.wait_idle()
    assert window.store.run_rows()[0].status == "cancelled"


def test_regenerate_makes_a_sibling_and_the_arrows_go_between(window: Driver) -> None:
    window.send("hello")
    window.use("fake:other")
    window.shortcut("Ctrl+R")
    window.wait(lambda: window.page.conversation.view.items[1].sibling == (2, 2))
    window.wait_idle()
    first = window.state.path[1].id
    window.shortcut("Alt+Left")
    window.wait(lambda: window.state.path[1].id != first)
    assert window.page.conversation.view.items[1].sibling == (1, 2)
    assert window.page.conversation.view.items[1].title == "Echo 8B"
    window.shortcut("Alt+Right")
    window.wait(lambda: window.page.conversation.view.items[1].title == "Other 3B")
    window.wait_idle()
    assert window.store.session(window.state.session_id).leaf_id == first


def test_editing_the_last_message_makes_a_branch(window: Driver) -> None:
    window.send("first words")
    window.press("Up")
    assert window.composer.text == "first words"
    assert window.composer.editing.isVisible()
    window.composer.edit.selectAll()
    window.type("other words")
    window.press("Return")
    window.wait(lambda: window.texts()[0] == ("user", "other words"))
    window.wait_idle()
    assert window.texts()[1] == ("assistant", "1: other words")
    assert window.page.conversation.view.items[0].sibling == (2, 2)
    assert not window.composer.editing.isVisible()
    assert len(window.store.messages(window.state.session_id)) == 4


def test_escape_leaves_editing_and_brings_nothing_about(window: Driver) -> None:
    window.send("first words")
    window.shortcut("Ctrl+E")
    assert window.composer.text == "first words"
    window.shortcut("Esc")
    assert window.composer.text == ""
    assert len(window.state.path) == 2


def test_a_draft_and_its_files_come_back_after_editing(window: Driver, tmp_path: Path) -> None:
    window.send("first")
    window.type("half a thought")
    (tmp_path / "notes.txt").write_text("notes")
    window.composer.add_files([str(tmp_path / "notes.txt")])
    window.wait(lambda: window.composer.files)
    window.shortcut("Ctrl+E")
    assert window.composer.text == "first"
    assert window.composer.files == []
    window.press("Esc")
    assert window.composer.text == "half a thought"
    assert [file.attachment.name for file in window.composer.files] == ["notes.txt"]


def test_attached_files_stay_with_their_chat(window: Driver, tmp_path: Path) -> None:
    window.send("first")
    session_id = window.state.session_id
    (tmp_path / "notes.txt").write_text("notes")
    window.composer.add_files([str(tmp_path / "notes.txt")])
    window.wait(lambda: window.composer.files)
    window.shortcut("Ctrl+N")
    assert window.composer.files == []
    window.state.open_session(session_id)
    window.wait(lambda: window.composer.files)
    assert [file.attachment.name for file in window.composer.files] == ["notes.txt"]


def test_an_edited_message_that_can_not_be_sent_is_given_back(window: Driver) -> None:
    window.send("first")
    window.use("fake:nowhere")
    window.shortcut("Ctrl+E")
    window.composer.set_text("first, better")
    window.press("Return")
    window.wait(lambda: window.page.remedies.isVisible())
    assert window.composer.text == "first, better"
    assert [text for _role, text in window.texts()] == ["first", "1: first"]


def test_continue_lengthens_the_same_message(window: Driver) -> None:
    window.send("hello")
    window.shortcut("Ctrl+Return")
    window.wait(lambda: window.texts()[1][1].endswith("and on"))
    window.wait_idle()
    assert len(window.texts()) == 2
    assert window.texts()[1][1].startswith("1: hello")


def test_delete_and_undo_a_message(window: Driver) -> None:
    window.send("one")
    window.send("two")
    window.page.conversation.view.action_requested.emit(window.state.path[2].id, "delete")
    window.wait(lambda: len(window.state.path) == 2)
    assert window.window.toaster.isVisible()
    window.click(window.window.toaster.button)
    window.wait(lambda: len(window.state.path) == 4)
    assert window.texts()[2] == ("user", "two")


def test_context_overflow_offers_to_drop_the_oldest_turns_and_does_it(window: Driver) -> None:
    window.send("a first turn")
    window.use("fake:overflow")
    window.send("much too long")
    assert window.page.remedies.isVisible()
    assert "808 too many" in window.page.remedies.title.text()
    buttons = {button.text(): button for button in window.page.remedies.findChildren(QPushButton)}
    window.click(buttons["Drop the oldest turns and try again"])
    window.wait(lambda: window.texts()[-1] == ("assistant", "It fits now."))
    window.wait_idle()
    assert not window.page.remedies.isVisible()


def test_a_single_message_too_long_has_no_older_turns_to_drop(window: Driver) -> None:
    window.use("fake:overflow")
    window.send("much too long")
    assert [button.text() for button in window.page.remedies.findChildren(QPushButton)] == ["Try again"]


def test_a_template_error_offers_a_plain_template(window: Driver) -> None:
    window.use("fake:template")
    window.send("hello")
    buttons = {button.text(): button for button in window.page.remedies.findChildren(QPushButton)}
    window.click(buttons["Use a plain template and try again"])
    window.wait(lambda: window.texts()[-1] == ("assistant", "Rendered with the plain template."))
    window.wait_idle()


def test_a_failure_keeps_the_partial_answer_and_says_what_happened(window: Driver) -> None:
    window.use("fake:dies")
    window.send("hello")
    assert window.texts()[1] == ("assistant", "Half an ans")
    item = window.page.conversation.view.items[1]
    assert item.error is not None and "out of memory" in item.error.message
    window.use("fake:echo")
    window.send("again")
    assert window.texts()[-1][0] == "assistant"
    assert not window.page.remedies.isVisible()


def test_an_unknown_model_gives_the_prompt_back(window: Driver) -> None:
    window.use("fake:gone")
    window.type("keep this")
    window.press("Return")
    window.wait(lambda: window.composer.text == "keep this")
    assert window.page.remedies.isVisible()
    assert window.store.sessions() == []


def test_files_are_attached_sent_and_refused_with_a_reason(window: Driver, tmp_path: Path) -> None:
    good, bad, picture = tmp_path / "notes.txt", tmp_path / "data.bin", tmp_path / "cat.png"
    good.write_text("the notes")
    bad.write_bytes(b"\xff\xfe\x00\x81")
    picture.write_bytes(b"\x89PNG")
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(good)), QUrl.fromLocalFile(str(bad))])
    window.composer.edit.insertFromMimeData(mime)
    window.wait(lambda: "data.bin is not a text file" in window.composer.problem.text())
    window.send("read this")
    assert window.page.conversation.view.items[0].attachments == ("notes.txt",)
    assert "the notes" in window.texts()[1][1]
    window.composer.add_files([str(picture)])
    window.wait(lambda: "can't read images" in window.composer.problem.text())
    window.type("look")
    assert not window.composer.send.isEnabled()


def test_the_record_and_the_rendered_prompt_are_shown(window: Driver) -> None:
    window.send("hello")
    window.shortcut("Ctrl+I")
    dialogs: Callable[[], list] = lambda: [d for d in window.page.conversation.children() if d.inherits("QDialog")]  # noqa: E731
    window.wait(dialogs)
    assert "fake:echo" in dialogs()[0].view.toPlainText()
    dialogs()[0].accept()
    window.shortcut("Ctrl+Shift+P")
    window.wait(lambda: len(dialogs()) == 2)
    assert "<|user|>hello" in dialogs()[1].view.toPlainText()
    dialogs()[1].accept()


def test_an_attached_file_counts_and_tells_by_how_much_it_does_not_fit(window: Driver, tmp_path: Path) -> None:
    big = tmp_path / "log.txt"
    big.write_text("one line of a long log\n" * 4000)
    window.type("What went wrong?")
    window.wait(lambda: window.composer.meter.tokens.text() == "~12 of 8,192 tokens")
    assert window.composer.meter.bar.objectName() == ""
    window.composer.add_files([str(big)])
    window.wait(lambda: window.composer.meter.bar.objectName() == "bad")
    too_many = round((len("What went wrong?\n\n") + 4000 * 23) / 3.6) + 8 - 8192
    assert window.composer.meter.tokens.text() == f"~{too_many:,} tokens too many for 8,192"
    assert window.composer.meter.tokens.objectName() == "bad"
    window.click(window.composer.findChild(QToolButton, "removeFile"))
    window.wait(lambda: window.composer.meter.bar.objectName() == "")


def test_files_opened_lately_are_offered_again(window: Driver, tmp_path: Path) -> None:
    here, gone = tmp_path / "mine.gguf", tmp_path / "gone.gguf"
    here.write_bytes(b"GGUF")
    for path in (gone, here):
        window.page.use_model_file(str(path))
    window.wait(lambda: window.state.model_files == [str(here)])
    window.use("fake:echo")
    window.shortcut("Ctrl+M")
    picker = window.page.picker
    window.wait(picker.isVisible)
    window.qtbot.keyClicks(picker.field, "mine")
    titles = [picker.rows.item(row).text() for row in range(picker.rows.rowCount())]
    assert titles[-2:] == ["Files opened lately", "mine.gguf"]
    window.press("Return", picker.field)
    assert window.state.model_id == str(here)


def test_a_pasted_picture_is_attached(window: Driver) -> None:
    image = QImage(40, 30, QImage.Format.Format_RGB32)
    image.fill(0xFF8800)
    mime = QMimeData()
    mime.setImageData(image)
    window.composer.edit.insertFromMimeData(mime)
    window.wait(lambda: window.composer.message().parts)
    (part,) = window.composer.message().parts
    assert isinstance(part, ImagePart)
    assert (part.attachment.name, part.attachment.media_type) == ("Pasted picture.png", "image/png")
    assert QImage.fromData(part.attachment.data).size() == image.size()


def test_a_prompt_is_taken_to_compare_and_an_answer_to_a_test_set(window: Driver) -> None:
    window.send("who is better?")
    answer = window.state.path[1].id
    window.page.conversation.view.action_requested.emit(answer, "add_to_test_set")
    dialogs: Callable[[], list] = lambda: [d for d in window.page.conversation.children() if d.inherits("QDialog")]  # noqa: E731
    window.wait(dialogs)
    dialogs()[0].reject()
    window.page.conversation.view.action_requested.emit(answer, "compare")
    assert window.window.place == "compare"
    window.wait(lambda: window.window.page("compare").composer.text == "who is better?")


def test_text_is_found_in_the_shown_chat(window: Driver) -> None:
    for text in ("an apple", "a pear", "another apple"):
        window.send(text)
    window.shortcut("F3")
    bar = window.page.conversation._find_bar
    window.wait(bar.isVisible)
    window.qtbot.keyClicks(bar.field, "Apple")
    window.wait(lambda: bar.count.text() == "4 of 4")
    window.press("Return", bar.field)
    assert bar.count.text() == "1 of 4"
    window.press("Shift+Return", bar.field)
    assert bar.count.text() == "4 of 4"
    bar.field.setText("plum")
    window.wait(lambda: bar.count.text() == "Nothing found")
    window.press("Esc", bar.field)
    assert not bar.isVisible() and window.page.conversation.view.finder.needle == ""


def test_sending_goes_to_the_end_whatever_was_read_before(window: Driver) -> None:
    window.use("fake:remote")
    window.send("one")
    window.send("two")
    view = window.page.conversation.view
    view.scroll_to(window.state.path[0].id)
    assert not view.following
    window.send("three")
    assert view.following
    assert view.verticalScrollBar().value() == view.verticalScrollBar().maximum()


def test_an_answer_without_text_says_so(window: Driver) -> None:
    window.use("fake:empty")
    window.send("anything?")
    assert window.page.conversation.view.items[1].footer.startswith("the model wrote nothing · ")


def test_many_files_with_long_names_take_several_lines_and_no_wider_window(window: Driver, tmp_path: Path) -> None:
    files = [tmp_path / f"{'a-very-long-name-of-some-notes-' * 3}{number}.txt" for number in range(6)]
    for file in files:
        file.write_text("notes")
    width = window.window.minimumSizeHint().width()
    window.composer.add_files([str(file) for file in files])
    window.wait(lambda: len(window.composer.files) == 6)
    chips = window.composer.findChildren(AttachmentChip)
    window.wait(lambda: len({chip.y() for chip in chips}) > 1)
    assert window.window.minimumSizeHint().width() == width
    assert {chip.toolTip() for chip in chips} == {file.name for file in files}


def test_the_model_list_leads_to_more_models(window: Driver) -> None:
    window.shortcut("Ctrl+M")
    window.wait(window.page.picker.isVisible)
    window.click(window.page.picker.more)
    assert not window.page.picker.isVisible()
    assert window.window.place == "models"


def test_a_search_hit_is_near_the_beginning_of_its_line() -> None:
    assert excerpt("# A long answer with \ue000code\ue001 in\n it") == "… answer with code in it"
    assert excerpt("\ue000Code\ue001 and more \ue000code\ue001") == "Code and more code"
    assert excerpt("of the title only") == "of the title only"


def test_the_field_shows_its_text_on_all_lines_it_grew_to_when_it_became_narrow(qtbot: QtBot) -> None:
    frame, composer = QWidget(), Composer()
    qtbot.addWidget(frame)
    column = QVBoxLayout(frame)
    column.addStretch(1)
    column.addWidget(composer)
    composer.set_model(None)
    composer.setStyleSheet("QPlainTextEdit { font-size: 28px; }")
    frame.resize(1200, 500)
    frame.show()
    qtbot.waitExposed(frame)
    height = composer.edit.height()
    frame.resize(360, 500)
    qtbot.waitUntil(lambda: composer.edit.height() > height)
    qtbot.waitUntil(lambda: composer.edit.viewport().height() == composer.edit.height(), timeout=2_000)


def test_the_list_of_models_says_what_it_lacks(window: Driver) -> None:
    picker = window.page.picker
    picker.open_below(window.page.model_button, [], "")
    assert picker.rows.item(0).text() == "No models yet"
    window.qtbot.keyClicks(picker.field, "mine")
    assert picker.rows.item(0).text() == "Nothing found."
    picker.hide()


def test_the_hint_of_the_search_is_chosen_anew_with_the_text_size(window: Driver) -> None:
    search = window.page.sessions.search
    full = search.placeholderText()
    assert full != "Search"
    width, font = search.width(), search.font()
    search.setStyleSheet("font-size: 60px")
    assert search.width() == width
    assert search.placeholderText() == "Search"
    search.setStyleSheet("")
    search.setFont(font)
    assert search.placeholderText() == full
