// Draw JSON: indented, coloured, with mistakes marked in place.

import { h } from "./dom.js";

const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|-?\d[\d.eE+-]*|true|false|null/g;

/** Draw the server's lines: [depth, text, path, sentences]. */
export function jsonLines(lines) {
	if (!lines.length) return h("p.empty", {}, "No body was stored.");
	return h(
		"div.json",
		{ tabindex: 0, role: "group", "aria-label": "JSON" },
		lines.map(([depth, text, path, marks]) => {
			const line = h(`div.line${marks.length ? ".wrong" : ""}`, { title: path.replace("\0", "") || null }, coloured(text));
			line.style.paddingLeft = `${depth * 1.25 + 0.75}em`;
			line.style.textIndent = "-0.75em";
			return [line, ...marks.map((mark) => h("div.mark", { role: "alert" }, mark))];
		}),
	);
}

const value = (each) => h("code", {}, coloured(JSON.stringify(each) ?? ""));

/** Draw the server's differences: [path, kind, before, after]. */
export function changes(differences, nothing) {
	if (!differences.length) return h("p.empty", {}, nothing);
	return h(
		"ul.changes",
		{},
		differences.map(([path, kind, before, after]) =>
			h(
				`li.${kind}`,
				{},
				h("b", {}, { added: "+ ", removed: "− ", changed: "± " }[kind], path || "everything"),
				" ",
				kind !== "added" && h("del", {}, value(before)),
				kind === "changed" && " → ",
				kind !== "removed" && h("ins", {}, value(after)),
			),
		),
	);
}

function coloured(text) {
	const parts = [];
	let end = 0;
	for (const match of text.matchAll(TOKEN)) {
		parts.push(text.slice(end, match.index));
		const kind = match[2] ? "key" : match[1] ? "string" : "constant";
		parts.push(h(`span.${kind}`, {}, match[1] ?? match[0]), match[2] ?? "");
		end = match.index + match[0].length;
	}
	return [...parts, text.slice(end)];
}
