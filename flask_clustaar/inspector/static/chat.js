// The conversation: send what the user does to the bot, and draw the replies.
//
// The server plays the platform. It keeps no state, so the page sends it each time.

import { $, attempt, call, h, options } from "./dom.js";
import { draw, userBubble } from "./bubbles.js";
import { edit } from "./edit.js";
import { changes, jsonLines } from "./json.js";

const stage = $("#stage");
const text = $("#text");
let about = {}; // the server's description of the bot
let state = null; // of the conversation, from the server
let conversation = 0; // its number, to drop late replies to older ones
let said = ""; // the last message of the user
let onTurn = () => {};

/** Start. *turn* is called with the id of each request, and whether the user asked for it. */
export function begin(facts, turn) {
	about = facts;
	onTurn = turn;
	options($("#how"), Object.entries(about.how));
	options($("#channel"), Object.entries(about.channels));
	restart();
}

/** Start a new conversation, with an empty session. */
export async function restart(step = null) {
	conversation += 1;
	state = null;
	stage.replaceChildren(h("p.note", {}, "Type a message, or choose a step."));
	await act({ kind: "begin", step });
}

/** Send an act of the user, and draw the result. */
async function act(what, bubble = null) {
	const mine = conversation;
	if (bubble !== null) add(userBubble(bubble));
	const sent = { act: what, state, how: $("#how").value, webhook: $("#webhook").value || null, channel: $("#channel").value };
	const answer = await attempt(() => call("POST", "chat", sent));
	if (!answer || mine !== conversation) return;
	$("#how").value = "fresh";
	state = answer.state;
	options($("#place"), answer.places, answer.place);
	remember(answer);
	const first = stage.lastElementChild;
	for (const item of answer.items) {
		if (item.id) onTurn(item.id);
		if (item.note) add(note(item.note));
		if (item.problem) add(note(item.problem, "problem", item.of));
		if (item.action && !(await show(item.action, mine))) return;
	}
	// After a click with the keyboard, move the focus to the reply.
	const { activeElement } = document;
	if (stage.dataset.keyboard && (activeElement === document.body || stage.contains(activeElement)))
		(first.nextElementSibling?.querySelector("button:enabled, input") ?? text).focus();
}

/** Draw an action, and pause for a wait; return false if the conversation has ended. */
async function show(action, mine) {
	const drawn = draw(action, (clicked) => choose(clicked, action));
	const block = drawn && add(drawn, action.type);
	if (action.type === "wait_action") {
		await new Promise((resolve) => setTimeout(resolve, 1000 * Number(action.duration)));
		block.remove();
	}
	return mine === conversation;
}

/** Replace the session and the user. */
async function set(values) {
	Object.assign(state, values);
	await act({ kind: "begin" });
}

function choose({ title, action }, of) {
	const isList = of.type === "send_choices_list_action";
	act({ kind: "click", title, action }, isList ? title : null);
}

/** Add something to the conversation, and scroll to its end as the webchat does. */
function add(drawn, type = "") {
	const block = h("div", { "data-type": type }, drawn);
	stage.append(block);
	marked(block);
	const scroll = () => (stage.scrollTop = stage.scrollHeight);
	scroll();
	setTimeout(scroll, 500);
	return block;
}

const note = (told, kind = "info", id = null) =>
	h(`div.note.${kind}`, { role: kind === "problem" && "alert" }, told, id && [" ", h("button", { type: "button", onclick: () => onTurn(id, true) }, `Why? #${id}`)]);

// -- other channels --

/** Strike through what the chosen channel does not show. */
function marked(root) {
	const channel = $("#channel").value;
	const index = Object.keys(about.channels).indexOf(channel);
	for (const each of [root, ...root.querySelectorAll("[data-type]")]) {
		const support = about.support[each.dataset.type]?.[index] ?? "y";
		each.classList.toggle("lost", support === "-" && index > 0);
		each.classList.toggle("unknown-here", support === "?");
		if (each.nextSibling?.className === "lost-note") each.nextSibling.remove();
		const name = about.channels[channel];
		if (index > 0 && support !== "y") each.after(h("small.lost-note", {}, support === "-" ? `not on ${name}` : `unknown on ${name}`));
	}
}

// -- the session and the user --

function remember({ session, user, sessionChanges, userChanges }) {
	const part = (title, differences, lines) =>
		h("div", {}, h("h3", {}, title), changes(differences, "unchanged"), h("details", {}, h("summary", {}, "all values"), jsonLines(lines)));
	const change = () => edit("Edit the session and the user", JSON.stringify({ session: state.session, user: state.user }, null, 2), "json", (body) => attempt(() => set(JSON.parse(body))));
	$("#memory").replaceChildren(part("Session", sessionChanges, session), part("User", userChanges, user), h("button", { onclick: change }, "Edit"));
}

// -- the form --

$("#say").addEventListener("submit", (event) => {
	event.preventDefault();
	if (!text.value) return;
	said = text.value;
	text.value = "";
	act({ kind: "say", text: said }, said);
});
text.addEventListener("keydown", ({ key }) => {
	if (key === "ArrowUp" && !text.value) text.value = said;
});
$("#begin").addEventListener("click", () => restart());
$("#place").addEventListener("change", ({ target }) => act({ kind: "go", step: target.value }));
$("#channel").addEventListener("change", () => {
	for (const each of [...stage.children]) if (each.dataset.type) marked(each);
});
stage.addEventListener("click", ({ detail }) => (stage.dataset.keyboard = detail === 0 ? "yes" : ""), true);
