// The list of requests, newest first.

import { $, attempt, call, h, options, statusOf } from "./dom.js";

const list = $("#rows");
const rows = new Map(); // id -> the server's row of the request
const nodes = new Map(); // id -> its row on the page
let selected = null;
let onSelect = () => {};
let isDrawn = true;

export const lastId = () => Math.max(0, ...rows.keys());
export const row = (id) => rows.get(id);
export const selectedId = () => selected;

/** Start: fill the list. *select* is called with the id of each selected request. */
export async function begin(select) {
	onSelect = select;
	for (const each of await call("GET", "deliveries")) rows.set(each.id, each);
	draw();
}

/** Add or update a request. */
export function put(each) {
	rows.set(each.id, each);
	nodes.get(each.id)?.remove();
	nodes.delete(each.id);
	drawSoon();
}

/** Keep only the requests with these ids, and update their names. */
export function keep({ ids, pins }) {
	const kept = new Set(ids);
	for (const [id, each] of rows) {
		const name = pins[id] ?? null;
		if (!kept.has(id)) {
			rows.delete(id);
			nodes.get(id)?.remove();
			nodes.delete(id);
		} else if (each.pinned !== name) put({ ...each, pinned: name });
	}
	drawSoon();
}

/** Select a request: one that the user chose, or the last one that was sent. */
export function select(id, asked = false) {
	nodes.get(selected)?.setAttribute("aria-selected", "false");
	selected = id;
	const node = nodes.get(id);
	if (node) {
		node.setAttribute("aria-selected", "true");
		list.setAttribute("aria-activedescendant", node.id);
		node.scrollIntoView({ block: "nearest" });
	}
	onSelect(id, asked);
}

/** Select the request below or above the selected one. */
export function move(by) {
	const shown = [...list.children].filter((node) => !node.hidden);
	const at = shown.indexOf(nodes.get(selected));
	const next = shown[at < 0 ? 0 : Math.min(shown.length - 1, Math.max(0, at + by))];
	if (next) select(Number(next.dataset.id));
}

// -- drawing --

/** Draw once per frame, no matter how many requests arrived. */
function drawSoon() {
	if (isDrawn) requestAnimationFrame(draw);
	isDrawn = false;
}

function draw() {
	isDrawn = true;
	const ids = [...rows.keys()].sort((a, b) => a - b);
	let below = null;
	for (const id of ids) {
		if (!nodes.has(id)) {
			nodes.set(id, make(rows.get(id)));
			list.insertBefore(nodes.get(id), below ?? null);
		}
		below = nodes.get(id);
	}
	const steps = new Map([...rows.values()].filter((each) => each.step).map((each) => [each.step_id, each.step]));
	options($("#step"), [["", "any step"], ...steps]);
	filter();
}

function make(each) {
	const told = each.code ?? each.title;
	const origin = each.source.replace("replay of ", "↻ #");
	return h(
		"div.row",
		{
			id: `row-${each.id}`,
			role: "option",
			"aria-selected": String(each.id === selected),
			"data-id": each.id,
			title: new Date(each.at * 1000).toLocaleTimeString(),
			onclick: () => select(each.id, true),
		},
		h(`span.status.${statusOf(each.status)}`, {}, String(each.status)),
		h("span.where", {}, h("b", {}, each.step ?? "no step"), h("small", {}, told)),
		h(
			"span.when",
			{},
			h("span", {}, `#${each.id}`),
			h("small", {}, `${each.ms.toFixed(1)} ms · ${origin}`),
		),
		(each.pinned || each.repeated) &&
			h(
				"span.tags",
				{},
				each.pinned && h("span.tag", {}, `⚑ ${each.pinned}`),
				each.repeated && h("span.tag", {}, "answered from the store"),
			),
	);
}

function filter() {
	const text = $("#filter").value.toLowerCase();
	const [status, step] = [$("#status").value, $("#step").value];
	let shown = 0;
	for (const [id, node] of nodes) {
		const each = rows.get(id);
		const fits =
			(!text || Object.values(each).flat().join(" ").toLowerCase().includes(text)) &&
			String(each.status).startsWith(status) &&
			(!step || each.step_id === step);
		node.hidden = !fits;
		shown += fits;
	}
	const all = `${rows.size} request${rows.size === 1 ? "" : "s"}`;
	$("#count").textContent = shown === rows.size ? all : `${shown} of ${all}`;
}

for (const id of ["#filter", "#status", "#step"]) $(id).addEventListener("input", filter);
$("#clear").addEventListener("click", () => attempt(() => call("DELETE", "deliveries")));
