// Searches the sections of the course, which the page has as COURSE_SECTIONS: [address, lesson, heading, text] each.
"use strict";
(() => {
    const MOST = 40;
    const AROUND = 90;  // letters of context on each side of the first hit
    const HEADING_WEIGHT = 20;
    const PHRASE_WEIGHT = 10;  // of words that stand together as they were typed

    function count(text, word) {
        return text.split(word).length - 1;
    }

    function find(words) {
        const found = [];
        for (const [address, lesson, heading, text] of globalThis.COURSE_SECTIONS) {
            const low = text.toLowerCase();
            const title = `${lesson} ${heading}`.toLowerCase();
            if (!words.every(word => low.includes(word) || title.includes(word))) continue;
            const together = PHRASE_WEIGHT * (words.length > 1 ? count(`${title} ${low}`, words.join(" ")) : 0);
            const score = words.reduce((sum, word) => sum + HEADING_WEIGHT * count(title, word) + count(low, word), together);
            found.push({address, lesson, heading, text, low, score});
        }
        return found.sort((one, other) => other.score - one.score);
    }

    function marked(text, low, words) {
        const phrase = low.indexOf(words.join(" "));
        const places = words.map(word => low.indexOf(word)).filter(place => place >= 0);
        const first = phrase >= 0 ? phrase : Math.min(...places, low.length);
        const start = Math.max(0, Math.min(first, low.length - AROUND) - AROUND);
        const line = document.createElement("p");
        if (start) line.append("… ");
        const escaped = words.map(word => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
        const parts = text.slice(start, first + AROUND).split(new RegExp(`(${escaped.join("|")})`, "i"));
        parts.forEach((part, index) => {
            if (index % 2 === 0) return line.append(part);
            const mark = document.createElement("mark");
            mark.textContent = part;
            line.append(mark);
        });
        if (first + AROUND < text.length) line.append(" …");
        return line;
    }

    function item({address, lesson, heading, text, low}, words) {
        const link = document.createElement("a");
        link.href = address;
        link.textContent = heading === lesson ? lesson : `${lesson}: ${heading}`;
        const title = document.createElement("h2");
        title.append(link);
        const entry = document.createElement("li");
        entry.append(title, marked(text, low, words));
        return entry;
    }

    const asked = new URLSearchParams(location.search).get("q") ?? "";
    const words = asked.toLowerCase().split(/\s+/).filter(Boolean);
    const status = document.querySelector(".results-count");
    document.querySelector("input[type=search]").value = asked;
    if (words.length === 0) return;
    const found = find(words);
    const shown = found.length > MOST ? `, the first ${MOST} are shown` : "";
    status.textContent = `${found.length} ${found.length === 1 ? "section has" : "sections have"} “${asked}”${shown}.`;
    document.querySelector(".results").append(...found.slice(0, MOST).map(entry => item(entry, words)));
})();
