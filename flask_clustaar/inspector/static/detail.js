// One request: how and why it was answered, and what can be done with it.

import { $, attempt, call, h, options, statusOf, tell } from "./dom.js";
import { edit } from "./edit.js";
import { changes, jsonLines } from "./json.js";

const panel = $("#detail");
const TABS = ["Checks", "Handlers", "Reply", "Request", "Changes", "Channels"];
let shown = null; // the server's description of the request
let tab = "Checks";
let about = {}; // the server's description of the bot
let onSent = () => {};
let loading = null; // resolves when the request is shown
let wanted = null; // the id of the request to show
const again = { how: "fresh", times: 1 }; // how to send it again

/** Start. *sent* is called with the ids of replayed requests. */
export function begin(facts, sent) {
	about = facts;
	onSent = sent;
}

/** Show a request. */
export const show = (id) => (loading = id === wanted ? loading : load(id));

async function load(id) {
	wanted = id;
	const found = await attempt(() => call("GET", `deliveries/${id}`));
	if (!found || wanted !== id) return;
	shown = found;
	// Open the tab that shows what went wrong.
	if (found.error || found.code === "no_handler") tab = "Handlers";
	else if (found.unsent) tab = "Reply";
	else if (found.checks.some(([, outcome]) => outcome === "FAIL")) tab = "Checks";
	draw();
}

/** Show the tab with this number, from 1. */
export function turn(number) {
	if (!shown || !TABS[number - 1]) return;
	tab = TABS[number - 1];
	draw();
	$("[role=tab][aria-selected=true]", panel).focus();
}

// -- actions --

/** Send the request again: with another body, or as often as set in the toolbar. */
export async function replay(changed = {}) {
	await loading;
	if (!shown) return;
	const body = { ...again, ...changed };
	const sent = await attempt(() => call("POST", `deliveries/${shown.id}/replay`, body));
	if (!sent) return;
	if (sent.ids.length > 1) tell(`${sent.ran} run${sent.ran === 1 ? "" : "s"}, ${sent.repeated} answered from the store.`);
	onSent(sent.ids);
}

/** Open the editor with the request's body. */
export async function editSelected() {
	await loading;
	if (!shown) return;
	const text = shown.requestLines.map(([depth, line]) => "  ".repeat(depth) + line).join("\n");
	edit(`Edit and send request #${shown.id}`, text, "notification", (body) => replay({ body }));
}

/** Pin the request with a name, or unpin it. */
export async function pin() {
	await loading;
	if (!shown) return;
	const name = shown.pinned === null ? prompt("Name of this request:", shown.code ?? "request") : null;
	if (name === null && shown.pinned === null) return;
	await attempt(() => call("PATCH", `deliveries/${shown.id}`, { pinned: name }));
	await load(shown.id);
}

async function copy(kind) {
	const text = await attempt(() => call("GET", `deliveries/${shown.id}/copy/${kind}`));
	if (text === undefined) return;
	try {
		await navigator.clipboard.writeText(text);
		tell(`Copied as ${about.copies[kind]}.`);
	} catch {
		// Without the permission, let the user copy it by hand.
		const area = h("textarea", { rows: 16, readonly: true, "aria-label": "Text to copy" }, text);
		$("#sheet").replaceChildren(h("h2", { id: "sheet-title" }, `Copy as ${about.copies[kind]}`), area, h("form", { method: "dialog" }, h("button", {}, "Close")));
		$("#sheet").showModal();
		area.select();
	}
}

async function compare(event) {
	event.preventDefault();
	const other = $("#other").value;
	const found = await attempt(() => call("GET", `deliveries/${other}/diff/${shown.id}`));
	if (found) $("#compared").replaceChildren(changes(found, `The replies of #${other} and #${shown.id} are equal.`));
}

// -- drawing --

function draw() {
	const { id, status, timings, code } = shown;
	const focused = panel.contains(document.activeElement) && document.activeElement.id;
	panel.replaceChildren(
		h("h2", {}, `#${id} `, h(`span.status.${statusOf(status)}`, {}, String(status)), h("small", {}, ` ${code ?? ""} ${timings.total.toFixed(1)} ms`)),
		toolbar(),
		h("div.tabs", { role: "tablist", "aria-label": "Parts of the request" }, TABS.map(tabButton)),
		h("div", { id: "part", role: "tabpanel", "aria-labelledby": `tab-${tab}` }, PARTS[tab]()),
	);
	if (focused) document.getElementById(focused).focus();
}

function tabButton(name, index) {
	const isShown = name === tab;
	const onkeydown = ({ key }) => {
		const by = { ArrowRight: 1, ArrowLeft: -1 }[key];
		if (by) turn(((index + by + TABS.length) % TABS.length) + 1);
	};
	const onclick = () => turn(index + 1);
	return h("button", { role: "tab", id: `tab-${name}`, "aria-selected": String(isShown), "aria-controls": "part", tabindex: isShown ? 0 : -1, onclick, onkeydown }, name);
}

function toolbar() {
	const button = (text, title, onclick, pressed = null) => h("button", { title, onclick, "aria-pressed": pressed }, text);
	const how = h("select", { id: "again", "aria-label": "Replay as", onchange: () => (again.how = how.value) });
	options(how, Object.entries(about.how), again.how);
	const copies = h("select", { "aria-label": "Copy as" });
	options(copies, [["", "Copy as …"], ...Object.entries(about.copies)]);
	copies.addEventListener("change", () => {
		copy(copies.value);
		copies.value = "";
	});
	return h(
		"div.bar",
		{},
		h("button.primary", { title: "Replay (r)", onclick: () => replay() }, "Replay"),
		"×",
		h("input", { id: "times", type: "number", min: 1, max: 100, value: again.times, "aria-label": "How often", oninput: ({ target }) => (again.times = Number(target.value)) }),
		how,
		button("Together", "Send all at the same time", () => replay({ together: true })),
		button("Edit", "Edit and send (e)", editSelected),
		button(shown.pinned === null ? "Pin" : `⚑ ${shown.pinned}`, "Pin (p)", pin, String(shown.pinned !== null)),
		copies,
	);
}

const empty = (text) => h("p.empty", {}, text);
const pairs = (rows) => h("dl", {}, rows.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));

const PARTS = {
	Checks: () => [
		pairs(
			shown.checks.map(([name, outcome, sentence]) => [
				h(`span.${outcome}`, {}, h("span", { "aria-hidden": "true" }, { pass: "✓ ", FAIL: "✗ ", skip: "– " }[outcome]), name, h("span.hidden", {}, `: ${outcome}`)),
				sentence,
			]),
		),
		h("h3", {}, "Time"),
		pairs(Object.entries(shown.timings).filter(([, ms]) => ms !== null).map(([name, ms]) => [name, `${ms.toFixed(2)} ms`])),
	],

	Handlers: () => [
		shown.error && h("pre.traceback", { tabindex: 0, "aria-label": "Traceback" }, shown.error),
		!shown.handlers.length && empty(shown.repeated ? "No handler ran: the reply is from the replay store." : "No handler ran: the request was rejected."),
		shown.code === "no_handler" && [h("h3", {}, "This would handle it"), h("pre", { tabindex: 0 }, shown.suggestion)],
		h("ol.handlers", {}, [...shown.handlers].sort((a, b) => b.matched - a.matched).map(handler)),
	],

	Reply: () => [
		shown.unsent && h("p.failed", {}, `The handlers built this reply. It is invalid, so the webhook answered ${shown.status} instead.`),
		shown.repeated && empty("Answered from the replay store."),
		jsonLines(shown.replyLines),
	],

	Request: () => [
		pairs(Object.entries(shown.headers).map(([name, values]) => [name, values.join(", ")])),
		shown.request === null
			? empty(`The body of ${shown.size} bytes was not stored: it is too long, was not read, or is not UTF-8. SHA-256: ${shown.sha256}`)
			: jsonLines(shown.requestLines),
	],

	Changes: () => [
		h("h3", {}, "Session"),
		changes(shown.sessionChanges, "The session is unchanged."),
		h("h3", {}, "User"),
		changes(shown.userChanges, "The user is unchanged."),
		h("h3", {}, "Compare replies"),
		h(
			"form.bar",
			{ onsubmit: compare },
			h("label", {}, "with request # ", h("input", { id: "other", type: "number", min: 1, required: true, value: shown.source.match(/\d+/)?.[0] ?? Math.max(1, shown.id - 1) })),
			h("button", {}, "Compare"),
		),
		h("div", { id: "compared", role: "status" }),
	],

	Channels: () =>
		Object.entries(about.channels).map(([channel, name]) => [
			h("h3", {}, name),
			shown.lost[channel].length ? h("ul.changes", {}, shown.lost[channel].map(lost)) : empty("Shows everything."),
		]),
};

const handler = (each) =>
	h(
		`li.${each.matched ? "pass" : "skip"}`,
		{ title: each.decorator },
		h("b", {}, each.name),
		h("small", {}, ` ${each.where} `),
		each.ms !== null && h("small.ms", {}, `${each.ms.toFixed(2)} ms`),
		h("p", {}, each.sentence),
		each.returned !== null && h("p", {}, "returned ", h("code", {}, each.returned)),
	);

const lost = ([path, type, support, reason]) => {
	const isLost = support === "-";
	return h(isLost ? "li.removed" : "li", {}, h("b", {}, path), " ", h(isLost ? "del" : "span", {}, type), ` ${reason}`);
};
