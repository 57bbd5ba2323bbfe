// Helpers that create elements and call the API.

export const $ = (selector, root = document) => root.querySelector(selector);

/**
 * Create an element: `h("button.primary", { onclick }, "Send")`.
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

/** Set the options of a select from pairs of value and text. */
export function options(select, pairs, chosen = select.value) {
	select.replaceChildren(...pairs.map(([value, text]) => h("option", { value }, text)));
	if (pairs.some(([value]) => value === chosen)) select.value = chosen;
}

/** Return the CSS class of a status, which sets its colour. */
export const statusOf = (status) => (status < 300 ? "good" : status < 500 ? "refused" : "failed");

/** Call the API, and return its JSON; throw an Error with the API's message. */
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
		// A rejection is plain text.
	}
	throw new Error(reason || `The inspector answered ${response.status}.`);
}

/** Show a message for some seconds, also to screen readers. */
export function tell(text) {
	const told = $("#told");
	told.textContent = text;
	clearTimeout(tell.timer);
	tell.timer = setTimeout(() => (told.textContent = ""), 6000);
}

/** Run a function, and show its error if it throws one. */
export async function attempt(action) {
	try {
		return await action();
	} catch (error) {
		tell(error.message);
	}
}
