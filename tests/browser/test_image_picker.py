"""ImagePicker in Chromium: what travels, for files picked, dropped and pasted."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from resnet_widgets.widgets.image_picker import ImagePicker


@pytest.fixture()
def picker(show):
    """Opens a picker in a page."""

    def open_picker(width=280, **state):
        return show("image_picker.js", ImagePicker, width=width, **state)

    return open_picker


def encoded(image, format, **options):
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def picture(width, height, mode="RGB"):
    return Image.fromarray(np.full((height, width, len(mode)), 128, np.uint8), mode)


def noise(width, height, mode="RGB"):
    values = np.random.default_rng(5).integers(0, 256, (height, width, len(mode)), np.uint8)
    return Image.fromarray(values, mode)


@pytest.fixture()
def pick(tmp_path):
    """Picks a file of these bytes in the file dialog."""

    def pick_file(page, data, name="photo.png"):
        # A file on disk: bytes would travel to the browser as text.
        path = tmp_path / name
        path.write_bytes(data)
        page.locator("input[type=file]").set_input_files(path)

    return pick_file


def sent(page, count=1):
    """Waits for messages to the kernel; returns each one's content and bytes, if any."""
    page.wait_for_function(
        "count => stub.models.shown.sent.length >= count", arg=count, timeout=60_000
    )
    messages = page.evaluate("""() => {
      const encode = (buffer) => {
        const letters = Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte));
        return btoa(letters.join(""));
      };
      const { sent, buffers } = stub.models.shown;
      return sent.map((content, index) => [content, buffers[index].map(encode)]);
    }""")
    return [(content, [base64.b64decode(text) for text in texts]) for content, texts in messages]


def opened(page):
    """The one picture that was sent, and the name it was sent by."""
    [(content, [data])] = sent(page)
    assert content["kind"] == "photo"
    assert len(data) <= 7_500_000
    return Image.open(io.BytesIO(data)), content["name"]


def error(page):
    return page.get_by_role("alert")


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
def test_a_small_picture_travels_as_it_is(picker, pick, format):
    page = picker()
    data = encoded(picture(40, 30), format)
    pick(page, data, "small.x")
    assert sent(page) == [({"kind": "photo", "name": "small.x", "note": ""}, [data])]
    expect(error(page)).to_be_hidden()


def test_a_large_picture_is_made_smaller_in_proportion(picker, pick):
    page = picker()
    pick(page, encoded(picture(4096, 1024), "JPEG"), "wide.jpg")
    image, name = opened(page)
    assert (image.format, image.size, name) == ("JPEG", (2048, 512), "wide.jpg")
    assert sent(page)[0][0]["note"] == "reduced from 4096 × 1024 to 2048 × 512"
    assert np.abs(np.asarray(image).astype(int) - 128).max() <= 2


def test_a_heavy_picture_is_encoded_anew(picker, pick):
    page = picker()
    data = encoded(noise(1500, 1350), "BMP")
    assert len(data) > 6_000_000
    pick(page, data, "heavy.bmp")
    image, _ = opened(page)
    assert (image.format, image.size) == ("JPEG", (1500, 1350))
    assert sent(page)[0][0]["note"] == "compressed as JPEG"


def test_the_worst_picture_there_is_fits_into_a_message(picker, pick):
    page = picker()
    pick(page, encoded(noise(2200, 2200), "PNG"), "noise.png")
    image, _ = opened(page)
    assert (image.format, image.size) == ("JPEG", (2048, 2048))


def test_the_page_says_what_was_done(picker):
    page = picker(name="wide.jpg", note="reduced from 4096 × 1024 to 2048 × 512")
    expect(page.get_by_role("status")).to_have_text(
        "wide.jpg: reduced from 4096 × 1024 to 2048 × 512"
    )


def test_transparency_survives_where_there_is_room(picker, pick):
    page = picker()
    image = picture(2100, 50, "RGBA")
    image.putpixel((0, 0), (0, 0, 0, 0))
    pick(page, encoded(image, "PNG"))
    result, _ = opened(page)
    assert (result.format, result.mode, result.size) == ("PNG", "RGBA", (2048, 49))
    assert result.getpixel((0, 0))[3] < 255


def test_transparency_is_laid_on_white_where_there_is_none(picker, pick):
    page = picker()
    image = noise(1600, 1450)
    image.putalpha(255)
    image.paste((0, 0, 0, 0), (0, 0, 400, 400))
    pick(page, encoded(image, "PNG"))
    result, _ = opened(page)
    assert result.format == "JPEG"
    assert np.asarray(result)[100:300, 100:300].min() > 250


def test_a_reduced_photo_stands_upright(picker, pick):
    page = picker()
    exif = Image.Exif()
    exif[0x0112] = 6  # the top of the picture is at the right of the file
    image = Image.new("RGB", (3000, 1000), "red")
    image.paste("blue", (0, 0, 1500, 1000))
    pick(page, encoded(image, "JPEG", exif=exif))
    result, _ = opened(page)
    assert result.size == (683, 2048)
    red, _, blue = result.getpixel((300, 100))
    assert blue > 200 > 50 > red


OPENS = "use PNG, JPEG, WebP, GIF, BMP or TIFF."


@pytest.mark.parametrize(
    ("data", "name", "reason"),
    [
        (b"just text", "notes.png", f"Not a picture that can be opened: {OPENS}"),
        (b"", "empty.jpg", "The file is empty."),
        (
            b"<svg></svg>",
            "drawing.png",
            "SVG is a drawing, not pixels. Save it as PNG and pick that.",
        ),
        (
            b"\0\0\0\x18ftypheic",
            "phone.jpg",
            "HEIC, the format of phones, cannot be opened here. Save it as JPEG and pick that.",
        ),
    ],
)
def test_what_is_no_picture_is_refused_and_nothing_is_sent(picker, pick, data, name, reason):
    page = picker()
    pick(page, data, name)
    expect(error(page)).to_have_text(f"{name}: {reason}")
    assert sent(page, 0) == []
    assert page.evaluate("stub.models.shown.get('busy')") is False
    assert page.evaluate("stub.models.shown.saved.at(-1).error").startswith(name), (
        "the kernel knows too"
    )


def test_what_is_too_large_and_cannot_be_made_smaller_is_refused(picker, pick):
    page = picker()
    pick(page, b"II*\0" + bytes(7_600_000), "scan.tif")
    expect(error(page)).to_contain_text("scan.tif: Too large to send: 7.6 MB, at most 7.5 MB.")
    assert sent(page, 0) == []


def test_a_damaged_picture_is_left_to_the_kernel(picker, pick):
    page = picker()
    data = encoded(picture(40, 30), "PNG")[:60]
    pick(page, data)
    assert sent(page)[0][1] == [data]


def test_it_is_busy_until_the_kernel_answers(picker, pick):
    page = picker(error="old")
    expect(error(page)).to_have_text("old")
    pick(page, encoded(picture(4, 4), "PNG"), "dog.png")
    expect(page.get_by_role("status")).to_have_text("Opening…")
    expect(error(page)).to_be_hidden()
    assert page.evaluate("stub.models.shown.saved") == [], "busy is the kernel's to say"
    page.evaluate("stub.models.shown.set('name', 'dog.png'), stub.models.shown.set('busy', false)")
    expect(page.get_by_role("status")).to_have_text("dog.png")


def test_the_same_file_can_be_picked_again(picker, pick):
    page = picker()
    data = encoded(picture(4, 4), "PNG")
    pick(page, data)
    sent(page)
    pick(page, data)
    assert len(sent(page, 2)) == 2


def test_of_two_picked_in_a_row_only_the_newer_is_sent(picker):
    page = picker()
    page.evaluate("""async () => {
      const blobs = [3000, 4].map((side) => {
        const canvas = new OffscreenCanvas(side, side);
        canvas.getContext("2d").fillRect(0, 0, side, side);
        return canvas.convertToBlob();
      });
      const [slow, quick] = await Promise.all(blobs);
      const { take } = stub.exports.shown;
      await Promise.all([take(new File([slow], "slow")), take(new File([quick], "quick"))]);
    }""")
    assert [content["name"] for content, _ in sent(page)] == ["quick"]


def test_a_drop_beside_the_picker_and_its_own_dialog_are_one_queue(picker, pick):
    """Two ways to pick, one of them slow: the one that was begun last is the one that counts."""
    page = picker()
    page.evaluate("""async () => {
      stub.exports.shown.dropTarget(document.body, stub.signal);
      const canvas = new OffscreenCanvas(3000, 3000);
      canvas.getContext("2d").fillRect(0, 0, 3000, 3000);
      const slow = new File([await canvas.convertToBlob()], "slow.png");
      // The picture is reduced when this is let go, and not before.
      const decode = window.createImageBitmap;
      window.createImageBitmap = async (...args) => {
        if (args[0].name === "slow.png") await new Promise((done) => { window.letGo = done; });
        return decode(...args);
      };
      const transfer = new DataTransfer();
      transfer.items.add(slow);
      document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer }));
    }""")
    page.wait_for_function("() => window.letGo")
    pick(page, encoded(picture(4, 4), "PNG"), "quick.png")
    sent(page)
    page.evaluate("""async () => {
      const encodes = HTMLCanvasElement.prototype.toBlob;
      const done = new Promise((resolve) => {
        HTMLCanvasElement.prototype.toBlob = function (heard, ...rest) {
          encodes.call(this, (blob) => { heard(blob); setTimeout(resolve); }, ...rest);
        };
      });
      window.letGo();
      await done;
    }""")
    assert [content["name"] for content, _ in sent(page)] == ["quick.png"]


def test_of_several_files_the_first_is_taken_and_the_page_says_so(picker):
    page = picker()
    page.evaluate(
        """(data) => {
          const transfer = new DataTransfer();
          for (const name of ["one.png", "two.png", "three.png"]) {
            transfer.items.add(new File([new Uint8Array(data)], name));
          }
          const event = new DragEvent("drop", { bubbles: true, dataTransfer: transfer });
          document.querySelector(".rw-picker").dispatchEvent(event);
        }""",
        list(encoded(picture(4, 4), "PNG")),
    )
    [(content, _)] = sent(page)
    assert content == {"kind": "photo", "name": "one.png", "note": "the first of 3 files"}


# A drop or a paste of files as the browser would make it; `data` is null for one without files.
TRANSFER = """([type, data, selector]) => {
  const transfer = new DataTransfer();
  if (data) transfer.items.add(new File([new Uint8Array(data)], "given.png"));
  else transfer.setData("text/plain", "words");
  const options = { bubbles: true, cancelable: true };
  const event = type === "paste"
    ? new ClipboardEvent(type, { ...options, clipboardData: transfer })
    : new DragEvent(type, { ...options, dataTransfer: transfer });
  document.querySelector(selector).dispatchEvent(event);
  return event.defaultPrevented;
}"""


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_a_picture_can_be_dropped_and_pasted(picker, way):
    page = picker()
    data = encoded(picture(4, 4), "PNG")
    assert page.evaluate(TRANSFER, [way, list(data), ".rw-picker button"])
    assert sent(page) == [({"kind": "photo", "name": "given.png", "note": ""}, [data])]


def test_a_picture_in_the_clipboard_is_pasted_by_keyboard(picker):
    page = picker()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate("""async () => {
      const canvas = new OffscreenCanvas(4, 3);
      canvas.getContext("2d");
      const blob = await canvas.convertToBlob();
      await navigator.clipboard.write([new ClipboardItem({ "image/png": blob })]);
    }""")
    page.get_by_role("button", name="Photo…").focus()
    page.keyboard.press("Control+V")
    image, _ = opened(page)
    assert image.size == (4, 3)


def test_the_place_to_drop_is_shown_for_files_only(picker):
    page = picker()
    marked = page.locator(".rw-drop")
    assert not page.evaluate(TRANSFER, ["dragover", None, ".rw-picker"])
    assert marked.count() == 0
    assert page.evaluate(TRANSFER, ["dragover", [1], ".rw-picker"])
    assert marked.count() == 1
    page.evaluate(TRANSFER, ["dragleave", [1], ".rw-picker"])
    assert marked.count() == 0
    assert not page.evaluate(TRANSFER, ["paste", None, ".rw-picker"]), "words are not for us"
    assert sent(page, 0) == []


def test_any_element_can_become_a_place_to_drop(picker):
    page = picker()
    page.evaluate("stub.exports.shown.dropTarget(document.body, new AbortController().signal)")
    data = encoded(picture(4, 4), "PNG")
    assert page.evaluate(TRANSFER, ["drop", list(data), "body"])
    assert sent(page)[0][1] == [data]


def test_of_two_places_to_drop_the_inner_one_is_marked_and_takes_it(picker):
    page = picker()
    page.evaluate("stub.exports.shown.dropTarget(document.body, new AbortController().signal)")
    marked = "[...document.querySelectorAll('.rw-drop')].map((node) => node.className)"
    page.evaluate(TRANSFER, ["dragover", [1], "#place"])
    assert page.evaluate(marked) == ["rw-drop"]
    page.evaluate(TRANSFER, ["dragover", [1], ".rw-picker button"])
    assert page.evaluate(marked) == ["rw rw-picker rw-drop"]
    data = list(encoded(picture(4, 4), "PNG"))
    page.evaluate(TRANSFER, ["drop", data, ".rw-picker button"])
    assert page.evaluate(marked) == []
    assert len(sent(page)) == 1


def test_samples_are_offered_and_sent_by_name(picker):
    page = picker(samples=["cat.jpg", "__proto__"])
    menu = page.get_by_role("combobox", name="Samples")
    assert menu.locator("option").all_inner_texts() == ["Samples", "cat.jpg", "__proto__"]
    menu.select_option("__proto__")
    assert sent(page) == [({"kind": "sample", "name": "__proto__"}, [])]
    page.evaluate("stub.models.shown.set('name', 'cat.jpg'), stub.models.shown.set('busy', false)")
    expect(menu).to_have_value("cat.jpg")
    expect(page.get_by_role("status")).to_have_text("")
    page.evaluate("stub.models.shown.set('name', 'mine.png')")
    expect(menu).to_have_value("Samples")


def test_without_samples_there_is_no_menu(picker):
    page = picker()
    expect(page.get_by_role("combobox", name="Samples")).to_be_hidden()


def test_the_button_opens_the_file_dialog(picker):
    page = picker()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Photo…").press("Enter")
    assert chooser.value.is_multiple() is False
    assert "image/tiff" in page.locator("input[type=file]").get_attribute("accept")


def test_no_key_reaches_the_notebook(picker):
    page = picker(samples=["cat.jpg"])
    page.get_by_role("button", name="Photo…").focus()
    for key in ("x", "d", "d", "Tab", "ArrowDown", "a"):
        page.keyboard.press(key)
    assert page.evaluate("stub.keys") == []


def test_hostile_names_are_only_text_and_never_push_the_layout(picker):
    bad = '<img src=x onerror="alert(1)">'
    long = "x" * 300
    page = picker(samples=[bad, long], name=long + "\n" + bad, error=bad, width=240)
    assert page.locator("#place img").count() == 0
    expect(error(page)).to_have_text(bad)
    box = page.locator(".rw-picker").bounding_box()
    inside = page.eval_on_selector_all(
        ".rw-picker > *", "all => Math.max(...all.map(n => n.getBoundingClientRect().right))"
    )
    assert inside <= box["x"] + box["width"]


def test_an_ended_view_listens_no_more(picker):
    page = picker()
    page.evaluate("stub.end()")
    assert page.evaluate("stub.models.shown.listening()") == 0
    assert not page.evaluate(TRANSFER, ["drop", [1], ".rw-picker"])
