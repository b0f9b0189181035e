// Fills the slides: what would not fit on 1280 by 720 goes to a further slide, or is drawn smaller where it cannot be
// parted. It is measured here, in the reader's own browser with its own fonts. Then reveal.js takes over.
"use strict";
(() => {
    const WIDTH = 1280;
    const HEIGHT = 720;
    const LOWEST = HEIGHT - 24;
    const RIGHTMOST = WIDTH - 40;
    const SMALLEST = 0.8;  // a block is parted rather than drawn smaller than this, if it can be
    const AROUND = 4;  // lines by which a blank line may lie before the middle
    const slides = document.querySelector(".slides");

    const isShown = part => !part.matches("h1, h2, aside");
    const shownParts = slide => [...slide.children].filter(isShown);

    function ends(slide, part) {
        const frame = slide.getBoundingClientRect();
        const box = part.getBoundingClientRect();
        const right = Math.max(box.right, ...[...part.querySelectorAll("pre, table, img")].map(inner =>
            inner.getBoundingClientRect().left + Math.max(inner.scrollWidth, inner.getBoundingClientRect().width)));
        return {top: box.top - frame.top, left: box.left - frame.left, bottom: box.bottom - frame.top, right: right - frame.left};
    }

    function shrink(slide, part, least) {
        // Twice, since text flows anew when it is smaller.
        for (let round = 0; round < 3; round++) {
            const {top, left, bottom, right} = ends(slide, part);
            const wanted = Math.min(1, (LOWEST - top) / (bottom - top), (RIGHTMOST - left) / (right - left));
            if (wanted >= 1) return;
            const now = Number(part.style.zoom || 1);
            part.style.zoom = Math.max(least, now * wanted * 0.99);
        }
    }

    function overflows(slide, part) {
        return ends(slide, part).bottom > LOWEST;
    }

    function furtherSlide(slide) {
        const further = slide.cloneNode(false);
        further.classList.remove("of-title");
        further.classList.add("continued");
        const heading = slide.querySelector(":scope > h1, :scope > h2");
        if (heading) {
            const title = document.createElement("h2");
            title.innerHTML = heading.innerHTML;
            further.append(title);
        }
        slide.after(further);
        return further;
    }

    function pieces(part) {
        // What a block can be parted into, and the element that holds them.
        const holder = part.matches("ul, ol") ? part : part.querySelector("tbody") ?? part.querySelector("pre");
        if (!holder) return null;
        if (holder.matches("pre")) return {holder, lines: holder.innerHTML.split("\n")};
        return {holder, children: [...holder.children]};
    }

    function part(slide, block) {
        // Leave on the slide what fits of a block, and return the rest as a block of its own, or null.
        const found = pieces(block);
        if (!found) return null;
        const rest = block.cloneNode(true);
        const {holder: restHolder, children: restChildren} = pieces(rest);
        const count = (found.lines ?? found.children).length;
        let kept = count;
        const keep = number => {
            kept = number;
            if (found.lines) found.holder.innerHTML = found.lines.slice(0, kept).join("\n");
            else found.children.forEach((child, place) => { child.hidden = place >= kept; });
        };
        while (kept > 1 && overflows(slide, block)) keep(kept - 1);
        if (kept === count) return null;
        const even = Math.ceil(count / Math.ceil(count / kept));  // no two lines alone on the last slide
        const blank = found.lines?.findIndex((line, place) => line.trim() === "" && place >= even - AROUND) ?? -1;
        keep(blank > 0 && blank <= kept ? blank : even);
        if (found.lines) {
            const lines = found.lines.slice(kept);
            while (lines.length && lines[0].trim() === "") lines.shift();
            restHolder.innerHTML = lines.join("\n");
        } else {
            found.children.slice(kept).forEach(child => child.remove());
            restChildren.slice(0, kept).forEach(child => child.remove());
            if (restHolder.matches("ol")) restHolder.start = (found.holder.start ?? 1) + kept;
        }
        return rest;
    }

    function moveOn(slide, first) {
        // `first` and all that follows it, notes too, go to a further slide.
        const further = furtherSlide(slide);
        while (first) {
            const next = first.nextElementSibling;
            further.append(first);
            first = next;
        }
        return further;
    }

    function fill(slide) {
        const blocks = shownParts(slide);
        for (const block of blocks) shrinkWide(slide, block);
        const late = blocks.findIndex(block => overflows(slide, block));
        if (late < 0) return;
        let place = late;
        if (place > 0 && leadsOn(blocks[place - 1])) place -= 1;
        if (place > 0) return fill(moveOn(slide, blocks[place]));
        shrink(slide, blocks[late], SMALLEST);
        if (!overflows(slide, blocks[late])) return fillRest(slide, blocks[late + 1]);
        if (late > 0) return fill(moveOn(slide, blocks[late]));
        blocks[0].style.zoom = "";
        shrinkWide(slide, blocks[0]);
        const rest = part(slide, blocks[0]);
        if (!rest) {
            shrink(slide, blocks[0], 0.3);
            return fillRest(slide, blocks[1]);
        }
        blocks[0].after(rest);
        fill(moveOn(slide, rest));
    }

    function leadsOn(block) {
        return block.matches("p") && !/[.!?)]$/.test(block.textContent.trim());
    }

    function fillRest(slide, next) {
        if (next) fill(moveOn(slide, next));
    }

    function shrinkWide(slide, block) {
        const {left, right} = ends(slide, block);
        if (right > RIGHTMOST) block.style.zoom = (RIGHTMOST - left) / (right - left) * 0.99;
    }

    addEventListener("load", async () => {
        slides.classList.add("measured");
        for (const slide of slides.querySelectorAll(".slide:not(.of-figure, .of-explorer)")) fill(slide);
        slides.classList.remove("measured");
        await Reveal.initialize({
            width: WIDTH, height: HEIGHT, margin: 0, center: false, hash: true, transition: "none",
            slideNumber: "c/t", controls: true, controlsTutorial: false, plugins: [RevealNotes],
        });
        document.documentElement.dataset.ready = "";
    });
})();
