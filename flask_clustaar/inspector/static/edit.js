// The editor: JSON as text, checked while it is typed, with completion of keys.

import { $, attempt, call, h } from "./dom.js";

const sheet = $("#sheet");

/**
 * Open the editor.
 *
 * @param kind "notification" or "reply": what the text is checked as.
 * @param send called with the text.
 */
export function edit(title, text, kind, send) {
	const area = h("textarea", {
		rows: 24,
		spellcheck: "false",
		wrap: "off",
		"aria-label": "JSON",
		"aria-describedby": "mistakes",
		"aria-controls": "completions",
		oninput: later,
		onclick: later,
		onkeydown: (event) => complete(event),
		onscroll: () => (marks.style.top = `${6 - area.scrollTop}px`),
	});
	area.value = text;
	const marks = h("div.marks", { "aria-hidden": "true" });
	const mistakes = h("ul", { id: "mistakes", role: "status", "aria-live": "polite" });
	const completions = h("ul", { id: "completions", role: "listbox", "aria-label": "Completions" });
	let timer;
	let found = { typed: "", options: [] };
	let chosen = 0;

	function later() {
		clearTimeout(timer);
		timer = setTimeout(check, 150);
	}

	async function check() {
		const checked = area.value;
		const answer = await attempt(() => call("POST", "check", { text: checked, kind, caret: area.selectionStart }));
		if (!answer || checked !== area.value) return;
		found = answer;
		chosen = 0;
		marks.replaceChildren(
			...answer.mistakes.map(([line]) => {
				const mark = h("div");
				mark.style.top = `${(line - 1) * 20}px`;
				return mark;
			}),
		);
		mistakes.replaceChildren(
			...(answer.mistakes.length
				? answer.mistakes.map(([line, path, sentence]) => h("li", {}, h("b", {}, `line ${line} ${path}`), ` ${sentence}`))
				: [h("li.good", {}, "No mistakes found.")]),
		);
		offer();
	}

	function offer() {
		completions.replaceChildren(
			...found.options.map((option, index) =>
				h(
					"li",
					{
						role: "option",
						"aria-selected": String(index === chosen),
						onmousedown: (event) => {
							event.preventDefault();
							insert(option);
						},
					},
					option,
				),
			),
		);
		completions.children[chosen]?.scrollIntoView({ block: "nearest" });
	}

	function insert(option) {
		const { selectionStart: at, value } = area;
		const rest = value.slice(at).startsWith('"') ? "" : '"';
		area.setRangeText(option + rest, at - found.typed.length, at, "end");
		check();
	}

	/** Up and down choose a completion, Tab or Enter takes it, Escape closes the list. */
	function complete(event) {
		if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) return finish(event);
		const { options } = found;
		if (!options.length) return;
		const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
		if (by) chosen = (chosen + by + options.length) % options.length;
		else if (event.key === "Tab" || event.key === "Enter") insert(options[chosen]);
		else if (event.key === "Escape") found = { typed: "", options: [] };
		else return;
		event.preventDefault();
		offer();
	}

	function finish(event) {
		event.preventDefault();
		sheet.close();
		send(area.value);
	}

	sheet.replaceChildren(
		h("h2", { id: "sheet-title" }, title),
		h(
			"form",
			{ method: "dialog", onsubmit: finish },
			h("div.editor", {}, marks, area, completions),
			mistakes,
			h(
				"div.bar",
				{},
				h("small", {}, "Tab completes, Ctrl+Enter sends. The webhook accepts more."),
				h("button", { type: "button", onclick: () => sheet.close() }, "Cancel"),
				h("button.primary", {}, "Send"),
			),
		),
	);
	sheet.showModal();
	area.focus();
	area.setSelectionRange(0, 0);
	check();
}
