// Events from the server, as they happen: one stream for all tabs.
//
// A browser opens at most six connections to a host, so ten tabs with a stream each
// would hang. The tab that holds a lock reads the stream and forwards it to the others.

const name = `clustaar inspector ${location.pathname}`;

/**
 * Listen to the server for as long as the page lives.
 *
 * @param handlers called by the name of the event, with its data. `live` is called with
 *   a boolean whenever the connection opens or breaks.
 * @param lastId returns the id of the newest delivery that the page knows.
 */
export function listen(handlers, lastId) {
	const others = new BroadcastChannel(name);
	others.onmessage = ({ data: [event, data] }) => {
		if (event !== "joined") handlers[event](data);
		else if (leads) others.postMessage(["live", isLive]);
	};
	let leads = false;
	let isLive = false;

	const pass = (event, data) => {
		if (event === "live") isLive = data;
		handlers[event](data);
		others.postMessage([event, data]);
	};

	const lead = () => {
		leads = true;
		const source = new EventSource(`api/stream?after=${lastId()}`);
		source.onopen = () => pass("live", true);
		for (const event of ["delivery", "app", "kept"])
			source.addEventListener(event, ({ data }) => pass(event, JSON.parse(data)));
		source.onerror = () => {
			pass("live", false);
			// An EventSource does not retry after an answer other than 200.
			if (source.readyState === EventSource.CLOSED) setTimeout(lead, 500);
		};
	};

	others.postMessage(["joined"]);
	// Some browsers refuse locks when cookies are blocked. Then each tab has its own stream.
	Promise.resolve()
		.then(() => navigator.locks.request(name, () => new Promise(lead)))
		.catch(lead);
}
