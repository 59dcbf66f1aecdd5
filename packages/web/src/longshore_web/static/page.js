// Keeps a page as it would be if it were opened now. Pages read well without this.
const source = document.body.dataset.changes;

// Make one node like another, and leave alone what is alike already: what is focused, opened, scrolled or typed stays.
function liken(old, now) {
  if (old.nodeType !== now.nodeType || old.nodeName !== now.nodeName) {
    old.replaceWith(document.importNode(now, true));
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== now.data) old.data = now.data;
    return;
  }
  for (const { name } of [...old.attributes])
    if (!now.hasAttribute(name) && !(name === "open" && old.nodeName === "DETAILS")) old.removeAttribute(name);
  for (const { name, value } of now.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  const [from, to] = [[...old.childNodes], [...now.childNodes]];
  to.forEach((node, at) => (at < from.length ? liken(from[at], node) : old.append(document.importNode(node, true))));
  from.slice(to.length).forEach((node) => node.remove());
}

function renew(fresh) {
  const log = document.querySelector("pre.log");
  const atEnd = log && log.scrollTop + log.clientHeight >= log.scrollHeight - 4;
  const stood = document.querySelector("#stands .state")?.textContent;
  liken(document.querySelector("header"), fresh.querySelector("header"));
  liken(document.querySelector("main"), fresh.querySelector("main"));
  if (log && atEnd) log.scrollTop = log.scrollHeight;
  const stands = document.querySelector("#stands .state")?.textContent;
  // Only what a listener would want to be told of, and not each number.
  if (stands !== stood) document.querySelector("#news").textContent = `The run is ${stands} now.`;
}

let busy = false;
let again = false;
async function ask() {
  if (busy) {
    again = true;
    return;
  }
  busy = true;
  do {
    again = false;
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" }, redirect: "error" });
      if (answer.ok) renew(new DOMParser().parseFromString(await answer.text(), "text/html"));
    } catch {
      // The server is gone; the stream below begins anew when it is back, and asks again.
    }
  } while (again);
  busy = false;
}

const log = document.querySelector("pre.log");
if (log) log.scrollTop = log.scrollHeight;

// A browser keeps few connections to one server, so only what is looked at has one.
let stream = null;
function follow() {
  stream?.close();
  stream = null;
  if (document.hidden) return;
  stream = new EventSource(source);
  stream.onmessage = ask;
  stream.onopen = () => {
    ask(); // what happened while there was no stream was told to nobody
    document.documentElement.dataset.live = "yes";
  };
  stream.onerror = () => {
    document.documentElement.dataset.live = "no";
  };
}
if (source) {
  document.addEventListener("visibilitychange", follow);
  follow();
}
