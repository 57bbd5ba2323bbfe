// The page: its parts, the events from the server, and the keyboard.

import { $, attempt, call, h, options } from "./dom.js";
import * as chat from "./chat.js";
import * as detail from "./detail.js";
import * as list from "./list.js";
import { listen } from "./stream.js";

const KEYS = {
	j: ["next request", () => list.move(1)],
	k: ["previous request", () => list.move(-1)],
	"/": ["filter the requests", () => focus("list", "#filter")],
	c: ["type in the chat", () => focus("chat", "#text")],
	n: ["new conversation", () => chat.restart()],
	r: ["replay the selected request", () => detail.replay()],
	e: ["edit and send it", () => detail.editSelected()],
	p: ["pin it with a name, or unpin it", () => detail.pin()],
	"?": ["this help", help],
};

function view(name) {
	document.body.dataset.view = name;
	for (const button of document.querySelectorAll("nav button"))
		button.setAttribute("aria-pressed", String(button.dataset.view === name));
}

function focus(name, selector) {
	view(name);
	$(selector).focus();
}

function help() {
	const sheet = $("#sheet");
	const rows = [...Object.entries(KEYS).map(([key, [what]]) => [key, what]), ["1 – 6", "parts of the selected request"], ["Esc", "leave a field, or close a dialog"]];
	sheet.replaceChildren(
		h("h2", { id: "sheet-title" }, "Keyboard"),
		h("dl.keys", {}, rows.map(([key, what]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, what)])),
		h("form", { method: "dialog" }, h("button", {}, "Close")),
	);
	sheet.showModal();
}

function onKey(event) {
	const { key, target } = event;
	if (event.ctrlKey || event.metaKey || event.altKey || $("#sheet").open) return;
	if (key === "Escape") return target.blur();
	if (target.matches("input, textarea, select")) return;
	if (target.id === "rows" && /^Arrow(Up|Down)$/.test(key)) {
		event.preventDefault();
		return list.move(key === "ArrowDown" ? 1 : -1);
	}
	if (key in KEYS) {
		event.preventDefault();
		KEYS[key][1]();
	} else if (/^[1-6]$/.test(key)) detail.turn(Number(key));
}

// -- events from the server --

function app({ state, traceback, name }) {
	$("#bot").textContent = name;
	$("#broken").hidden = state === "ok";
	$("#broken pre").textContent = traceback ?? "";
	document.title = state === "ok" ? `${name} · Clustaar inspector` : `broken · ${name}`;
}

function live(isLive) {
	$("#live").textContent = isLive ? "live" : "reconnecting";
	$("#live").className = isLive ? "live" : "";
}

async function begin() {
	const about = await attempt(() => call("GET", "app"));
	if (!about) return setTimeout(begin, 1000);
	app(about);
	options($("#webhook"), about.webhooks.map(({ name }) => [name, name]), about.webhook);
	$("#webhook").hidden = about.webhooks.length < 2;
	await list.begin((id, asked) => {
		detail.show(id);
		if (asked) view("detail");
	});
	detail.begin(about, (ids) => list.select(ids.at(-1)));
	listen({ app, live, delivery: list.put, keep: list.keep, kept: list.keep }, list.lastId);
	chat.begin(about, list.select);
}

for (const button of document.querySelectorAll("nav button")) button.addEventListener("click", () => view(button.dataset.view));
$("#help").addEventListener("click", help);
$("#webhook").addEventListener("change", () => chat.restart());
document.addEventListener("keydown", onKey);
view(innerWidth < 900 ? "chat" : "list");
begin();
