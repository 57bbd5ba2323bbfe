// Text that the webchat draws as HTML, rebuilt from the allowed elements only.

import { h } from "./dom.js";

const ALLOWED = new Set("a abbr acronym b blockquote br code em i li ol strong ul".split(" "));
const TAG = /<(\/?)([a-z]+)((?:\s(?:"[^"]*"|'[^']*'|[^"'<>])*)?)>/gi;
const ATTRIBUTE = /\b(href|title)\s*=\s*(?:"([^"]*)"|'([^']*)')/gi;
const HIDDEN = /\*\*(basic|custom)_obfuscation_of_(\w+)\*\*/g;
const LABELS = {
	phone_number: ["☎", "Phone number"],
	email_address: ["✉", "Email"],
	credit_card_number: ["▭", "Credit Card"],
	social_security_number: ["⚿", "FR SSN"],
};

/**
 * Return the nodes of a text: allowed tags become elements, everything else is text.
 *
 * No parser of HTML sees the tags, so that nothing in them can run or be loaded.
 */
export function rich(text) {
	const open = [document.createElement("span")];
	let end = 0;
	for (const { 0: whole, 1: closes, 2: tag, 3: attributes, index } of text.matchAll(TAG)) {
		const [name, top] = [tag.toLowerCase(), open.at(-1)];
		top.append(...plain(decoded(text.slice(end, index))));
		end = index + whole.length;
		if (!ALLOWED.has(name)) top.append(whole);
		else if (name === "br") top.append(h("br"));
		else if (!closes) {
			const element = h(name, allowed(name, attributes));
			top.append(element);
			open.push(element);
		} else if (open.slice(1).some((each) => each.localName === name)) while (open.pop().localName !== name);
	}
	open.at(-1).append(...plain(decoded(text.slice(end))));
	return [...open[0].childNodes];
}

/** Return the nodes of a plain text; obfuscated values become labels. */
export function plain(text) {
	const parts = [];
	let end = 0;
	for (const { 0: whole, 1: kind, 2: name, index } of text.matchAll(HIDDEN)) {
		const [icon, label] = (kind === "basic" && LABELS[name]) || ["✖", name];
		parts.push(text.slice(end, index), h("span.icon", { "aria-hidden": "true" }, icon), h("em.obfuscated", {}, label));
		end = index + whole.length;
	}
	return [...parts, text.slice(end)];
}

/** Decode the character references of a text without tags. */
const decoded = (text) => new DOMParser().parseFromString(`<body>${text.replaceAll("<", "&lt;")}`, "text/html").body.textContent;

function allowed(name, text) {
	const attributes = name === "a" ? { target: "_blank" } : {};
	for (const [, key, quoted, single] of text.matchAll(ATTRIBUTE)) attributes[key.toLowerCase()] = decoded(quoted ?? single).trim();
	if (name !== "a" || !/^(https?|mailto):/i.test(attributes.href)) delete attributes.href;
	return attributes;
}
