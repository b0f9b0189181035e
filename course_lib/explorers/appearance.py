"""How an explorer looks in a notebook, and what its widgets lack for readers who use a keyboard or a screen reader.

ipywidgets gives the handle of a slider no name and does not say of a button that it is pressed, and has no trait for
either. An HTML widget is shown as it is, so the code comes in one: it only writes `aria-` attributes, once when the
explorer is drawn and whenever it changes. Where code in it does not run, the explorer works without.
"""

from __future__ import annotations

from html import escape

# All sizes follow the notebook's text, so that they grow in presentation mode and with the reader's own settings.
STYLE = """
.course-explorer {
    --explorer-size: var(--jp-content-font-size1, 14px);
    --jp-widgets-font-size: var(--explorer-size);
    --jp-widgets-inline-height: calc(1.75 * var(--explorer-size));
    font-size: var(--explorer-size);
    overflow: visible;
}
.course-explorer .explorer-controls { display: flex; flex-flow: row wrap; column-gap: 1em; overflow: visible; }
.course-explorer .explorer-slider { flex: 1 1 20.5em; max-width: 34em; overflow: visible; }
.course-explorer .explorer-slider .widget-text { flex: none; width: 13.8em; }
.course-explorer .explorer-slider .widget-slider { flex: 1 1 6em; width: auto; min-width: 5em; }
.course-explorer .explorer-choice { flex: 0 1 auto; align-items: baseline; overflow: visible; }
.course-explorer .explorer-label { flex: none; justify-content: flex-end; text-align: right; }
.course-explorer .widget-toggle-buttons { width: auto; overflow: visible; }
.course-explorer .widget-toggle-button, .course-explorer .jupyter-button {
    height: auto; line-height: 1.5; padding: 0 0.5em; margin: 1px; width: auto; font-size: inherit;
    color: var(--jp-ui-font-color1); border: 1px solid var(--jp-border-color1);
}
.course-explorer .widget-toggle-button.mod-active {
    color: var(--jp-layout-color0); background: var(--jp-content-font-color1); font-weight: 600;
    box-shadow: none;
}
.course-explorer .noUi-handle { background: var(--jp-brand-color1); border-color: var(--jp-brand-color1); }
.course-explorer :focus-visible { outline: 3px solid var(--jp-brand-color1); outline-offset: 1px; }
.course-explorer .explorer-picture .widget-html-content { overflow-x: auto; line-height: 0; }
.course-explorer .explorer-picture img { width: 100%; min-width: 743px; max-width: 1080px; height: auto; }
.course-explorer .explorer-summary [role=status] { font-size: calc(1.1 * var(--explorer-size)) !important; }
.course-explorer .explorer-picture, .course-explorer .explorer-summary { height: auto; }
"""

SCRIPT = """
const mark = this;
const say = root => {
    for (const row of root.querySelectorAll('.explorer-slider')) {
        for (const handle of row.querySelectorAll('.noUi-handle')) {
            handle.setAttribute('aria-label', row.querySelector('label').textContent);
            const said = row.querySelector('.widget-readout').textContent;
            if (said) handle.setAttribute('aria-valuetext', said);
        }
    }
    for (const row of root.querySelectorAll('.explorer-choice')) {
        const group = row.querySelector('button')?.parentElement;
        group?.setAttribute('role', 'group');
        group?.setAttribute('aria-label', row.querySelector('.explorer-label').textContent);
        for (const button of row.querySelectorAll('button'))
            button.setAttribute('aria-pressed', button.classList.contains('mod-active'));
    }
    for (const frame of root.querySelectorAll('.explorer-picture .widget-html-content')) {
        if (frame.scrollWidth > frame.clientWidth) frame.setAttribute('tabindex', '0');
        else frame.removeAttribute('tabindex');
    }
};
const start = tries => {
    const root = mark.closest('.course-explorer');
    if (!root) return tries && setTimeout(start, 50, tries - 1);
    const changes = {subtree: true, childList: true, attributes: true, attributeFilter: ['class']};
    new MutationObserver(() => say(root)).observe(root, changes);
    new ResizeObserver(() => say(root)).observe(root);
    say(root);
};
start(200);
"""
PIXEL = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="


def page_code() -> str:
    """Style and code of an explorer as HTML that shows nothing; the code runs when the invisible picture is there."""
    return f'<style>{STYLE}</style><img hidden alt="" src="{PIXEL}" onload="{escape(SCRIPT, quote=True)}">'
