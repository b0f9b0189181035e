// What every page has: the reader's choice of light or dark, and wide code and tables that the keyboard can scroll.
"use strict";
(() => {
    const KEY = "course-theme";
    const root = document.documentElement;
    const systemIsDark = matchMedia("(prefers-color-scheme: dark)");
    const isDark = () => root.dataset.theme ? root.dataset.theme === "dark" : systemIsDark.matches;

    try {  // a browser may refuse to keep anything
        root.dataset.theme = localStorage.getItem(KEY) ?? "";
    } catch {}

    function describe(button) {
        button.setAttribute("aria-pressed", isDark());
    }

    function reachWideParts() {
        for (const part of document.querySelectorAll("pre, .output, .table, .explorer-picture")) {
            if (part.scrollWidth > part.clientWidth) part.tabIndex = 0;
            else part.removeAttribute("tabindex");
        }
    }

    addEventListener("DOMContentLoaded", () => {
        const button = document.querySelector(".theme");
        describe(button);
        systemIsDark.addEventListener("change", () => describe(button));
        button.addEventListener("click", () => {
            root.dataset.theme = isDark() ? "light" : "dark";
            describe(button);
            try {
                localStorage.setItem(KEY, root.dataset.theme);
            } catch {}
        });
        new ResizeObserver(reachWideParts).observe(document.body);
    });
})();
