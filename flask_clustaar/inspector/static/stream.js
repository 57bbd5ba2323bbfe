// What the server tells, as it happens: one stream for all tabs.
//
// A browser opens six connections to a host, so ten tabs with a stream each would hang.
// The tab that holds a lock reads the stream and passes everything on to the others.
// When it closes, another one gets the lock.

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
			// It gives up for ever when the answer is not 200.
			if (source.readyState === EventSource.CLOSED) setTimeout(lead, 500);
		};
	};

	others.postMessage(["joined"]);
	// Without cookies a browser may refuse locks: then each tab has its own stream.
	Promise.resolve()
		.then(() => navigator.locks.request(name, () => new Promise(lead)))
		.catch(lead);
}
