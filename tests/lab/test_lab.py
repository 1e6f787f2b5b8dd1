"""The paths a person takes, in a real JupyterLab with a real kernel."""

from __future__ import annotations

PLAIN = '''
import anywidget, traitlets

class Counter(anywidget.AnyWidget):
    _esm = """
    export default { render({ model, el }) {
      const button = document.createElement("button");
      button.className = "count";
      const show = () => { button.textContent = String(model.get("value")); };
      model.on("change:value", show);
      button.onclick = () => { model.set("value", model.get("value") + 1); model.save_changes(); };
      show();
      el.append(button);
    } };
    """
    value = traitlets.Int(0).tag(sync=True)

counter = Counter()
counter
'''


def test_the_lab_itself_works(open_notebook):
    notebook = open_notebook(PLAIN)
    notebook.run_all()
    button = notebook.page.locator("button.count")
    button.click()
    notebook.page.wait_for_function("() => document.querySelector('.count').textContent === '1'")
    assert notebook.evaluate("counter.value") == 1
    assert notebook.cell_count == 1
