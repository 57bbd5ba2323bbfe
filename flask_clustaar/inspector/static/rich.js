// Text that the webchat draws as HTML, made anew from what is allowed in it.

import { h } from "./dom.js";

const ALLOWED = new Set("A ABBR ACRONYM B BLOCKQUOTE BR CODE EM I LI OL STRONG UL".split(" "));
const HIDDEN = /\*\*(basic|custom)_obfuscation_of_(\w+)\*\*/g;
const LABELS = {
	phone_number: ["☎", "Phone number"],
	email_address: ["✉", "Email"],
	credit_card_number: ["▭", "Credit Card"],
	social_security_number: ["⚿", "FR SSN"],
};

/**
 * Return the nodes of a text: the allowed tags, and everything else as text.
 *
 * The text is parsed into a document that is never shown and runs nothing. Only names
 * and texts are read from there.
 */
export function rich(text) {
	const { body } = new DOMParser().parseFromString(text, "text/html");
	return [...body.childNodes].map(copy);
}

/** Return the nodes of a plain text, in which hidden values become labels. */
export function plain(text) {
	const parts = [];
	let end = 0;
	for (const match of text.matchAll(HIDDEN)) {
		const [icon, label] = (match[1] === "basic" && LABELS[match[2]]) || ["✖", match[2]];
		parts.push(text.slice(end, match.index), h("span.icon", { "aria-hidden": "true" }, icon), h("em.obfuscated", {}, label));
		end = match.index + match[0].length;
	}
	return [...parts, text.slice(end)];
}

function copy(node) {
	if (node.nodeType === Node.TEXT_NODE) return plain(node.data);
	if (node.nodeType !== Node.ELEMENT_NODE) return [];
	const children = [...node.childNodes].map(copy);
	if (!ALLOWED.has(node.nodeName)) {
		// Shown as it is written, as the platform escapes it.
		const name = node.nodeName.toLowerCase();
		return [`<${name}>`, children, `</${name}>`];
	}
	const attributes = { title: node.getAttribute("title") };
	if (node.nodeName === "A") {
		const href = node.getAttribute("href") ?? "";
		if (/^(https?|mailto):/i.test(href.trim())) attributes.href = href.trim();
		attributes.target = "_blank";
	}
	return h(node.nodeName.toLowerCase(), attributes, children);
}
