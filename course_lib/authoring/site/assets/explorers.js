// Brings each explorer of a page to life at the reader's first touch. The page holds the controls and the first picture;
// here they are only listened to, and set to what Python says of them (course_lib/explorers/answering.py).
"use strict";
(() => {
    const STARTING = "Starting Python in this page: a few seconds, once …";
    const engineAddress = document.currentScript.dataset.engine;  // none where the page holds the engine itself

    class Engine {
        // Python in a worker: `ready` promises that it has started, `ask` what it answers.
        constructor(worker, files) {
            this.worker = worker;
            this.asked = 0;
            this.waiting = new Map();
            this.ready = new Promise((resolve, reject) => this.waiting.set("start", {resolve, reject}));
            worker.onmessage = ({data}) => this.receive(data);
            worker.onerror = () => this.receive({number: "start", error: "the browser did not start it"});
            worker.postMessage({number: "start", files});
        }

        ask(question) {
            const number = this.asked++;
            this.worker.postMessage({number, ...question});
            return new Promise((resolve, reject) => this.waiting.set(number, {resolve, reject}));
        }

        receive({number, answer, error}) {
            const promise = this.waiting.get(number);
            this.waiting.delete(number);
            if (error) promise?.reject(new Error(error));
            else promise?.resolve(answer);
        }
    }

    async function makeEngine() {
        if (!globalThis.COURSE_FILES) await loadScript(engineAddress);
        const {"worker.js": code, ...files} = globalThis.COURSE_FILES;
        const packed = await fetch(`data:application/gzip;base64,${code}`);
        const text = new Response(packed.body.pipeThrough(new DecompressionStream("gzip")));
        const address = URL.createObjectURL(new Blob([await text.text()], {type: "text/javascript"}));
        const engine = new Engine(new Worker(address), files);
        await engine.ready;
        return engine;
    }

    let engine = null;  // a promise, from the first touch of any explorer on

    function startEngine() {
        engine ??= makeEngine().catch(error => {
            engine = null;  // the next touch tries again
            throw error;
        });
        return engine;
    }

    function loadScript(address) {
        return new Promise((resolve, reject) => {
            const script = document.createElement("script");
            script.src = address;
            script.onload = resolve;
            script.onerror = () => reject(new Error(`${address} cannot be read`));
            document.head.append(script);
        });
    }

    class Explorer {
        constructor(root) {
            this.root = root;
            this.places = JSON.parse(root.dataset.places);
            this.wishes = new Map();  // by control, the newest alone: a slider that is dragged leaves the others behind
            this.busy = false;
            this.python = null;
            this.note = root.querySelector(".explorer-note");
            const controls = root.querySelector(".explorer-controls");
            controls.hidden = false;
            controls.addEventListener("pointerdown", () => this.fulfil());
            controls.addEventListener("input", event => this.listen(event.target, "input"));
            controls.addEventListener("change", event => this.listen(event.target, "change"));
        }

        listen(element, kind) {
            // A number is taken when it is typed to its end, all else at every step.
            const isNumber = element.type === "number";
            if (isNumber !== (kind === "change")) return;
            const {control} = element.dataset;
            const isEmpty = element.value.trim() === "";
            const place = isNumber ? this.places[control] : Number(element.value);
            this.wishes.set(control, isNumber && !isEmpty ? {typed: Number(element.value)} : {place});
            this.fulfil();
        }

        async fulfil() {
            if (this.busy) return;
            this.busy = true;
            try {
                if (!this.python) {
                    this.note.textContent = STARTING;
                    this.python = await startEngine();
                    this.note.textContent = "";
                }
                while (this.wishes.size) {
                    const [[control, wish]] = this.wishes;
                    this.wishes.delete(control);
                    const question = {idea: this.root.dataset.idea, places: this.places, wish: {control, ...wish}};
                    this.show(await this.python.ask(question));
                }
            } catch (error) {
                this.wishes.clear();
                this.note.textContent = `The explorer cannot run here; its picture stays as it is. ${error.message}`;
            }
            this.busy = false;
        }

        show({picture, summary, controls}) {
            for (const [name, state] of Object.entries(controls)) {
                this.places[name] = state.place;
                if (this.wishes.has(name)) continue;  // the reader is further than this answer
                for (const element of this.root.querySelectorAll(`[data-control="${name}"]`)) set(element, state);
            }
            const image = this.root.querySelector(".explorer-picture img");
            image.src = `data:image/svg+xml,${encodeURIComponent(picture)}`;
            image.alt = summary;
            this.root.querySelector(".explorer-summary").textContent = summary;
        }
    }

    function set(element, {place, lowest, highest, said, enabled}) {
        if (element.type === "radio") {
            element.checked = Number(element.value) === place;
            return;
        }
        element.disabled = !enabled;
        if (element.type === "number") {
            element.value = said;
            return;
        }
        element.min = lowest;
        element.max = highest;
        element.value = place;
        element.setAttribute("aria-valuetext", said);
    }

    for (const root of document.querySelectorAll(".explorer")) new Explorer(root);
})();
