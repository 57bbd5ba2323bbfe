// What the webchat draws for each action of a reply, and what a click does there.
//
// Only the text of a text action and the message of quick replies are drawn as HTML.
// The webchat draws everything else as plain text, and so does this page.

import { h } from "./dom.js";
import { plain, rich } from "./rich.js";

/** Draw what the user said or clicked. */
export const userBubble = (text) => h("div.bubble.user", {}, plain(text));

/**
 * Draw an action; return null if the webchat draws nothing for it.
 *
 * @param click called with `{ title, action }` when the user chooses something that
 *   the bot hears of.
 */
export function draw(action, click) {
	return DRAWN[action.type]?.(action, click) ?? null;
}

const DRAWN = {
	// The platform chooses one of the alternatives before the webchat sees it.
	send_text_action: ({ text, alternatives }) => bubble(rich(String(text ?? alternatives?.[0] ?? "")), "kept"),

	send_image_action: ({ imageURL, alt }) => picture(imageURL, alt, ".picture"),

	send_cards_action: (action, click) => carousel(action, click, ""),
	send_simple_cards_action: (action, click) => carousel(action, click, ".simple"),

	send_quick_replies_action: ({ message, buttons }, click) =>
		h("div", {}, message && bubble(rich(String(message)), "kept"), chips(objects(buttons), click)),

	// According to the documentation, the platform turns it into quick replies.
	customer_satisfaction_action: ({ message, choices }, click) =>
		DRAWN.send_quick_replies_action({ message, buttons: satisfied(choices) }, click),

	send_choices_list_action: choicesList,

	wait_action: () => h("div.bubble.wait", { role: "img", "aria-label": "typing" }, [1, 2, 3].map(() => h("span.dot"))),

	ask_location_action: ({ message }) =>
		h("div", {}, bubble(plain(line(message))), h("button.locate", { disabled: true, title: "The webchat never sends the answer." }, "Send location")),
};

// -- texts and pictures --

const bubble = (nodes, kind = "plain") => h(`div.bubble.${kind}`, {}, nodes);

const line = (text) => String(text ?? "");

const objects = (list) => (Array.isArray(list) ? list.filter((each) => each && typeof each === "object") : []);

const picture = (src, alt, kind, url = src) => h(`img${kind}`, { src: src ?? "", alt: alt ?? "", onclick: () => open_(url) });

/** Open a URL as the webchat does, but only with a safe scheme. */
function open_(url) {
	if (/^(https?|mailto|tel|sms):/i.test(url ?? "")) window.open(url, "_blank", "noopener,noreferrer");
}

// -- quick replies --

function chips(buttons, click) {
	const row = h("div.chips", { role: "group", "aria-label": "Quick replies" });
	for (const { title, action } of buttons) {
		const chip = h("button", { type: "button", "data-type": action?.type }, line(title));
		chip.addEventListener("click", () => {
			for (const each of row.children) each.disabled = true;
			chip.classList.add("chosen");
			chip.setAttribute("aria-pressed", "true");
			click({ title, action });
		});
		row.append(chip);
	}
	return row;
}

const satisfied = (choices) =>
	objects(choices).map(({ label, kind, target }) => ({
		title: label,
		action: { type: "customer_satisfaction_callback_action", kind, target },
	}));

// -- cards --

function carousel({ cards }, click, kind) {
	const shown = objects(cards);
	const slides = h("div.slides", { tabindex: shown.length > 1 ? 0 : -1, role: "group", "aria-label": `${shown.length} cards` });
	let chosen = null; // the index of the button that was clicked
	const buttons = (index) => slides.querySelectorAll(`[data-index="${index}"]`);

	const press = (index, button) => {
		const { action } = button;
		if (action?.type === "open_url_action") return open_(action.url);
		if (action?.type !== "go_to_action" || chosen !== null) return;
		chosen = index;
		for (const each of buttons(index)) each.classList.add("chosen");
		click({ title: button.title, action });
	};

	slides.append(
		...shown.map((card) =>
			h(
				"div.card",
				{ role: "group", "aria-label": line(card.title) },
				card.imageURL !== "" && picture(card.imageURL, kind ? "" : card.alt, "", card.url),
				h("h2", { onclick: () => open_(card.url) }, line(card.title)),
				h("h3", {}, line(card.subtitle)),
				h(
					"div.choices",
					{},
					objects(card.buttons).map((button, index) => {
						if (!["go_to_action", "open_url_action", "share_action"].includes(button.action?.type)) return null;
						const attributes = { type: "button", "data-index": index, "data-type": button.action.type };
						return h("button", { ...attributes, onclick: () => press(index, button) }, line(button.title));
					}),
				),
			),
		),
	);
	const block = h(`div.cards${kind}`, {}, slides);
	if (shown.length > 1) arrows(block, slides, shown.length);
	return block;
}

/** Add arrows, keys and swipes that move between the cards. */
function arrows(block, slides, count) {
	let at = 0;
	const go = (to) => {
		at = Math.max(0, Math.min(count - 1, to));
		slides.scrollLeft = at * slides.clientWidth;
		back.disabled = at === 0;
		on.disabled = at === count - 1;
	};
	const back = h("button.arrow.back", { type: "button", "aria-label": "Previous card", disabled: true, onclick: () => go(at - 1) });
	const on = h("button.arrow.on", { type: "button", "aria-label": "Next card", onclick: () => go(at + 1) });
	let from = null;
	slides.addEventListener("pointerdown", ({ clientX }) => (from = clientX));
	slides.addEventListener("pointerup", ({ clientX }) => {
		const by = from === null ? 0 : from - clientX;
		// With three or more cards, swiping wraps around.
		if (Math.abs(by) > 10) go(count > 2 ? (at + Math.sign(by) + count) % count : at + Math.sign(by));
		from = null;
	});
	slides.addEventListener("keydown", ({ key }) => {
		if (key === "ArrowRight") go(at + 1);
		if (key === "ArrowLeft") go(at - 1);
	});
	block.append(back, on);
}

// -- the list of choices --

function choicesList({ message, placeholder, sections, action }, click) {
	const panel = h("div.panel", { role: "listbox", "aria-label": line(placeholder), hidden: true });
	const input = h("input", {
		placeholder: line(placeholder),
		role: "combobox",
		"aria-label": line(placeholder),
		"aria-expanded": "false",
		autocomplete: "off",
		oninput: () => show(true),
		onfocus: () => show(true),
		onblur: () => setTimeout(() => show(false), 150),
	});
	const toggle = h("button", { type: "button", tabindex: -1, "aria-label": "Show the choices" });
	toggle.addEventListener("mousedown", (event) => {
		event.preventDefault();
		const opens = panel.hidden;
		if (opens) input.focus();
		show(opens);
	});
	const field = h("div.field", {}, input, toggle, panel);
	let active = 0;

	function show(isOpen) {
		panel.hidden = !isOpen;
		input.setAttribute("aria-expanded", String(isOpen));
		if (isOpen) fill();
	}

	function fill() {
		const wanted = input.value.trim().toUpperCase();
		const rows = [];
		for (const section of objects(sections)) {
			const fitting = objects(section.choices).filter(({ title }) => line(title).trim().toUpperCase().includes(wanted));
			if (fitting.length && section.title) rows.push(h("div", { role: "presentation" }, line(section.title)));
			for (const choice of fitting) {
				const option = h(`div${section.title ? ".indented" : ""}`, { role: "option", title: line(choice.title) }, choice.imageUrl && h("img", { src: choice.imageUrl, alt: "" }), line(choice.title));
				option.addEventListener("mousedown", () => choose(choice));
				option.choice = choice;
				rows.push(option);
			}
		}
		panel.replaceChildren(...rows);
		mark(0);
	}

	function mark(index) {
		const found = [...panel.querySelectorAll("[role=option]")];
		active = Math.max(0, Math.min(found.length - 1, index));
		found.forEach((each, position) => each.setAttribute("aria-selected", String(position === active)));
		found[active]?.scrollIntoView({ block: "nearest" });
		return found[active];
	}

	input.addEventListener("keydown", (event) => {
		if (event.key === "Escape") show(false);
		else if (event.key === "Enter" && mark(active)) choose(mark(active).choice);
		else if (event.key === "ArrowDown") mark(active + 1);
		else if (event.key === "ArrowUp") mark(active - 1);
		else return;
		event.preventDefault();
		event.stopPropagation();
	});

	function choose({ title, sessionValues }) {
		field.remove();
		// The choice's values replace those of the action, also if the choice has none.
		click({ title, action: { ...action, sessionValues } });
	}

	return h("div.choices-list", {}, bubble(plain(line(message))), field);
}
