// Small helpers that make elements and talk to the API.

export const $ = (selector, root = document) => root.querySelector(selector);

/**
 * Make an element: `h("button.primary", { onclick }, "Send")`.
 *
 * Attributes that are functions become listeners. What is null, undefined or false is
 * left out. Children are nodes, texts, and lists of them; no text is read as HTML.
 */
export function h(name, attributes = {}, ...children) {
	const [tag, ...classes] = name.split(".");
	const element = document.createElement(tag);
	if (classes.length) element.className = classes.join(" ");
	for (const [key, value] of Object.entries(attributes)) {
		if (typeof value === "function") element.addEventListener(key.slice(2), value);
		else if (value !== null && value !== undefined && value !== false)
			element.setAttribute(key, value === true ? "" : value);
	}
	element.append(...children.flat(Infinity).filter((child) => child || child === 0));
	return element;
}

/** Make the options of a select from pairs of a value and a text. */
export function options(select, pairs, chosen = select.value) {
	select.replaceChildren(...pairs.map(([value, text]) => h("option", { value }, text)));
	if (pairs.some(([value]) => value === chosen)) select.value = chosen;
}

/** Return the kind of a status: it colours it. */
export const statusOf = (status) => (status < 300 ? "good" : status < 500 ? "refused" : "failed");

/** Call the API; throw what it says is wrong. */
export async function call(method, path, body) {
	const response = await fetch(`api/${path}`, {
		method,
		headers: { "Content-Type": "application/json" },
		body: body === undefined ? undefined : JSON.stringify(body),
	});
	const text = await response.text();
	if (response.ok) return response.headers.get("Content-Type").includes("json") ? JSON.parse(text) : text;
	let reason = text;
	try {
		reason = JSON.parse(text).error;
	} catch {
		// A refusal is plain text.
	}
	throw new Error(reason || `The inspector answered ${response.status}.`);
}

/** Tell the user something for a while, on the screen and to screen readers. */
export function tell(text) {
	const told = $("#told");
	told.textContent = text;
	clearTimeout(tell.timer);
	tell.timer = setTimeout(() => (told.textContent = ""), 6000);
}

/** Run what may fail, and tell why it did. */
export async function attempt(action) {
	try {
		return await action();
	} catch (error) {
		tell(error.message);
	}
}
