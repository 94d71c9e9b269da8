import { ask as askServer, counted, element, keepKey, newToken, Refusal } from "/ask.js";
import { clock, fault, playOnHover, Player } from "/player.js";
import { Captions, Marks, Teach } from "/teach.js";

const $ = id => document.getElementById(id);
const [form, words, tasks, status, results, notice] = ["search", "words", "collection", "status", "results", "notice"].map($);
const pageSize = 24;
const title = document.title;
let index = null;
let running = new AbortController();
let teachable = false;
let next = null;   // asks for the page after the one shown
const filterNames = ["folder", "tag", "after", "before", "min_seconds", "max_seconds"];
const askedName = "mvadapter-asked";
const mostAsked = 50;

/** Asks the server; another search ends it. */
const ask = (address, options = {}) => askServer(address, { ...options, signal: running.signal });

// ---- the page's address is the query ----

function query() {
  const parameters = new URLSearchParams(location.search);
  return { q: parameters.get("q") ?? "", like: parameters.get("like"), collection: parameters.get("collection"), all: parameters.has("all"), teach: parameters.has("teach"), byTime: parameters.has("time"),
    examples: parameters.get("examples")?.split(",").filter(Boolean) ?? [], filters: Object.fromEntries(filterNames.map(name => [name, parameters.get(name)]).filter(([, value]) => value)) };
}

function go(next) {
  const parameters = new URLSearchParams(next.filters ?? query().filters);
  if (next.examples?.length) parameters.set("examples", next.examples.join(","));
  if (next.byTime) parameters.set("time", "");
  if (next.q) parameters.set("q", next.q);
  if (next.like) parameters.set("like", next.like);
  if (next.all) parameters.set("all", "");
  if (next.teach) parameters.set("teach", "");
  if (index.collections.length > 1) parameters.set("collection", tasks.value);
  const address = parameters.size ? `/?${parameters}` : "/";
  if (address !== location.pathname + location.search) history.pushState(null, "", address);
  show();
}

async function show() {
  const { q, like, collection, all, teach, examples, filters } = query();
  noMore();
  if (collection && index.collections.some(known => String(known.id) === collection)) tasks.value = collection;
  words.value = q;
  document.title = q ? `${q} – ${title}` : title;
  const limit = new URLSearchParams({ collection: tasks.value, ...all && { all_clips: "true" }, ...filters });
  for (const name of filterNames) $("filters").elements[name].value = filters[name] ?? "";
  if (Object.keys(filters).length) showFilters(true);
  $("to-teach").setAttribute("aria-pressed", String(teach && teachable));
  if (teach && teachable && searchable()) return showTeaching();
  teaching.close();
  if (!searchable()) empty();
  else if (like) await search("Clips like the one you chose", `/api/collections/${encodeURIComponent(tasks.value)}/clips/${encodeURIComponent(like)}/similar?${limit}`);
  else if (q || examples.length) {
    remember(q);
    const what = [q && `“${q}”`, examples.length && (examples.length === 1 ? "one example" : `${examples.length} examples`)].filter(Boolean).join(" and ");
    await search(what, `/api/search?${new URLSearchParams({ q, ...examples.length && { like: examples.join(",") } })}&${limit}`);
  } else welcome();
}

async function searchByVideo(file) {
  if (!searchable()) return;
  words.value = "";
  await search(`Clips like ${file.name}`, `/api/search?${new URLSearchParams({ collection: tasks.value })}`, { method: "POST", body: file, headers: { "Content-Type": "application/octet-stream" } });
}

// ---- searching ----

function showFilters(shown) {
  $("filters").hidden = !shown;
  $("to-filter").setAttribute("aria-expanded", String(shown));
}

/** Keeps what was asked in this browser, the last first. */
function remember(q) {
  const asked = JSON.parse(localStorage.getItem(askedName) ?? "[]").filter(known => known !== q);
  if (q) asked.unshift(q);
  localStorage.setItem(askedName, JSON.stringify(asked.slice(0, mostAsked)));
  $("asked").replaceChildren(...asked.map(value => element("option", { value })));
}

async function search(what, address, options) {
  noMore();
  running.abort();
  running = new AbortController();
  const { signal } = running;
  results.setAttribute("aria-busy", "true");
  notice.hidden = true;
  status.textContent = options ? "Reading the video…" : "Searching…";
  try {
    const begun = performance.now();
    const { results: found, approximate, partial } = await ask(address, options);
    const seconds = (performance.now() - begun) / 1000;
    const { all, ...asked } = query();
    const sorted = asked.byTime ? found.toSorted((a, b) => a.path.localeCompare(b.path) || a.start - b.start) : found;
    const cards = sorted.map(card);
    results.replaceChildren(...cards);
    if (!options && found.length === pageSize) offerMore(address, pageSize);
    if (teachable && asked.q && !options) marks.show(tasks.value, asked.q, cards);
    status.textContent = found.length ? `${what}: ${counted(found.length, "clip")} in ${seconds.toFixed(2)} s${approximate ? ", approximately" : ""}${partial ? "; a part of the index does not answer, and its clips are missing" : ""}` : "";
    if (found.length && !options) {
      const other = element("button", { type: "button", className: "similar toggle", textContent: all ? "The best clip of each video" : "All clips of each video" });
      other.addEventListener("click", () => go({ ...asked, all: !all }));
      const order = element("button", { type: "button", className: "similar toggle", textContent: asked.byTime ? "By score" : "By time" });
      order.addEventListener("click", () => go({ all, ...asked, byTime: !asked.byTime }));
      status.append(" ", other, " ", order);
    }
    if (!found.length && partial) tell("A part of the index does not answer", "Nothing was found in the rest. Search again in a while.");
    else if (!found.length) tell("Nothing found", "No clip of this collection can be compared with that. Try other words, or another adapter.");
  } catch (error) {
    if (signal.aborted) return;
    failed(error, () => search(what, address, options));
  } finally {
    if (!signal.aborted) results.removeAttribute("aria-busy");
  }
}

function noMore() {
  next = null;
  $("more").hidden = true;
}

/** The next page, below the ones that are shown. */
function offerMore(address, offset) {
  $("more").hidden = false;
  next = async () => {
    $("more").disabled = true;
    try {
      const { results: found } = await ask(`${address}&offset=${offset}`);
      const cards = found.map(card);
      results.append(...cards);
      if (teachable && query().q) marks.show(tasks.value, query().q, cards);
      if (found.length === pageSize) offerMore(address, offset + pageSize);
      else noMore();
      cards[0]?.querySelector(".film").focus();
    } catch (error) {
      status.textContent = error.message;
    } finally {
      $("more").disabled = false;
    }
  };
}

function card(clip) {
  const span = `${clock(clip.start)} – ${clock(clip.end)}`;
  const picture = element("img", { src: clip.thumbnail, alt: "", loading: "lazy", decoding: "async" });
  const film = element("button", { type: "button", className: "film" }, picture, element("span", { className: "time", textContent: span }));
  // What is read out begins with what is seen.
  film.setAttribute("aria-label", `${span}, play ${clip.file}`);
  picture.addEventListener("error", () => { picture.hidden = true; fault(film, "The file is gone, or another one now"); });
  film.addEventListener("click", () => player.open(clip));
  playOnHover(film, clip);
  const similar = element("button", { type: "button", className: "similar", textContent: "More like this" });
  similar.setAttribute("aria-label", `More like this: ${clip.file}, ${span}`);
  similar.addEventListener("click", () => go({ like: String(clip.clip) }));
  const made = element("li");
  made.dataset.clip = String(clip.clip);
  const { q, examples } = query();
  const example = element("button", { type: "button", className: "similar", textContent: "Add as example", title: "Looks for the words and for what is like this clip" });
  example.setAttribute("aria-label", `Add as example: ${clip.file}, ${span}`);
  example.addEventListener("click", () => go({ ...query(), examples: [...examples, String(clip.clip)] }));
  made.append(film,
    element("div", { className: "facts" },
      element("span", { className: "name", textContent: clip.file, title: clip.path }),
      element("span", { className: "score", textContent: clip.score.toFixed(3).replace("-", "\u2212"), title: "Cosine similarity" })),
    element("div", { className: "facts acts" }, similar, ...q || examples.length ? [example] : [], ...teachable && q ? [marks.buttons(made, tasks.value, q)] : []));
  return made;
}

function showTeaching() {
  running.abort();
  running = new AbortController();
  status.textContent = "";
  results.replaceChildren();
  notice.hidden = true;
  return teaching.open(tasks.value);
}

// ---- what to say when there is nothing to show ----

function tell(heading, text, ...more) {
  results.replaceChildren();
  notice.replaceChildren(element("h2", { textContent: heading }), element("p", {}, ...[text].flat()), ...more);
  notice.hidden = false;
}

function welcome() {
  running.abort();
  results.removeAttribute("aria-busy");
  const chosen = index.collections.find(known => String(known.id) === tasks.value);
  status.textContent = `${counted(chosen.clips, "clip")} in ${counted(chosen.videos, "video")}`;
  tell("Which moment are you looking for?", ["Describe it in words, or drop a video to find clips like it. ", element("kbd", { textContent: "/" }), " starts a search, the arrow keys go through what was found."]);
}

function empty() {
  status.textContent = "";
  const problem = index.collections.find(known => String(known.id) === tasks.value)?.problem;
  if (problem) return tell("This collection cannot be searched", problem);
  tell("There are no videos in this index yet", "Add some, then load this page again:", element("code", { textContent: index.fill, tabIndex: 0 }));
}

function failed(error, again) {
  status.textContent = "";
  if (error.status === 401) return askForKey(again);
  const [heading, text] = error instanceof Refusal
    ? [error.status === 503 ? "The server is busy" : "That did not work", error.message]
    : ["The server does not answer", "Is it still running? Start it again by ./run serve, then try again."];
  const button = element("button", { type: "button", className: "solid", textContent: "Try again" });
  button.addEventListener("click", again);
  tell(heading, text, button);
}

function askForKey(again) {
  const access = $("access");
  notice.hidden = true;
  results.replaceChildren();
  access.hidden = false;
  $("key").focus();
  access.onsubmit = event => {
    event.preventDefault();
    keepKey($("key").value.trim());
    $("key").value = "";
    access.hidden = true;
    again();
  };
}

const searchable = () => index.collections.some(known => String(known.id) === tasks.value && known.clips > 0 && !known.problem);

// ---- keys, files, beginning ----

const player = new Player($("player"), clip => go({ like: String(clip.clip) }), clip => {
  showTimeline(clip);
  $("player-captions").hidden = !teachable;
  $("player-message").textContent = "";
  if (teachable) captions.show(tasks.value, String(clip.clip));
});
const captions = new Captions($("player-said"), error => { $("player-message").textContent = error.message; });
const marks = new Marks(error => { status.textContent = error.message; });
const teaching = new Teach(begin);
$("to-teach").addEventListener("click", () => go(query().teach ? {} : { teach: true }));
let captionToken = newToken();
$("player-caption").addEventListener("submit", async event => {
  event.preventDefault();
  const input = event.target.querySelector("input");
  if (!input.value.trim()) return;
  try {
    await captions.add(input.value, captionToken);
    captionToken = newToken();
    input.value = "";
    $("player-message").textContent = "";
  } catch (error) {
    $("player-message").textContent = error.message;
  }
});

/** Where in a clip's video the query fits: a bar for each of its clips, as high as it scores among them. */
async function showTimeline(clip) {
  const strip = $("player-timeline");
  strip.hidden = true;
  strip.replaceChildren();
  const { q, examples } = query();
  if (!q && !examples.length) return;
  try {
    const parameters = new URLSearchParams({ q, ...examples.length && { like: examples.join(",") } });
    const { clips } = await askServer(`/api/collections/${encodeURIComponent(tasks.value)}/clips/${clip.clip}/timeline?${parameters}`);
    if (clips.length < 2 || player.clip !== clip) return;
    const scores = clips.map(other => other.score);
    const [least, most] = [Math.min(...scores), Math.max(...scores)];
    strip.replaceChildren(...clips.map(other => {
      const share = most > least ? (other.score - least) / (most - least) : 1;
      const bar = element("button", { type: "button", className: "bar", title: `${clock(other.start)}: ${other.score.toFixed(3)}` }, element("span"));
      bar.firstChild.style.height = `${Math.round(8 + 92 * share)}%`;
      bar.setAttribute("aria-label", `Go to ${clock(other.start)}, similarity ${other.score.toFixed(3)}`);
      bar.setAttribute("aria-current", String(other.clip === clip.clip));
      bar.addEventListener("click", () => player.jump(other.start));
      return bar;
    }));
    strip.hidden = false;
  } catch {
    // The film is there all the same.
  }
}

$("more").addEventListener("click", () => next?.());
$("to-filter").addEventListener("click", () => showFilters($("filters").hidden));
$("filters").addEventListener("submit", event => {
  event.preventDefault();
  go({ ...query(), q: words.value.trim(), filters: Object.fromEntries(filterNames.map(name => [name, $("filters").elements[name].value.trim()]).filter(([, value]) => value)) });
});
$("filters-clear").addEventListener("click", () => { go({ ...query(), filters: {} }); showFilters(false); });
form.addEventListener("submit", event => {
  event.preventDefault();
  if (index) go({ q: words.value.trim() });
});
tasks.addEventListener("change", () => go(query().teach ? { teach: true } : { q: words.value.trim() }));
addEventListener("popstate", () => { if (index) show(); });

addEventListener("keydown", event => {
  if (teaching.isOpen && event.target.closest?.("#teach")) return;
  if (event.ctrlKey || event.metaKey || event.altKey || $("player").open) return;
  const films = [...results.querySelectorAll(".film")];
  const at = films.indexOf(document.activeElement);
  const { q } = query();
  if (event.key === "/" && !/^(INPUT|SELECT)$/.test(document.activeElement.tagName)) words.select();
  else if (at >= 0 && teachable && q && (event.key === "y" || event.key === "n")) marks.toggle(films[at].closest("li"), tasks.value, q, event.key === "y" ? "right" : "wrong");
  else if (event.key === "Escape" && at >= 0) words.select();
  else if (event.key === "ArrowDown" && document.activeElement === words && films.length) films[0].focus();
  else if (at >= 0 && event.key.startsWith("Arrow")) {
    const columns = films.filter(film => film.offsetTop === films[0].offsetTop).length;
    const to = at + { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
    if (to < 0 && event.key === "ArrowUp") words.select();
    else films[to]?.focus();
  } else return;
  event.preventDefault();
});

$("pick").addEventListener("click", () => $("file").click());
$("file").addEventListener("change", () => {
  if ($("file").files[0]) searchByVideo($("file").files[0]);
  $("file").value = "";
});
const carriesFile = event => event.dataTransfer?.types.includes("Files");
addEventListener("dragover", event => {
  if (!carriesFile(event)) return;
  event.preventDefault();
  $("drop").hidden = false;
});
addEventListener("dragleave", event => { if (!event.relatedTarget) $("drop").hidden = true; });
addEventListener("drop", event => {
  if (!carriesFile(event)) return;
  event.preventDefault();
  $("drop").hidden = true;
  if (index && event.dataTransfer.files[0]) searchByVideo(event.dataTransfer.files[0]);
});

async function begin() {
  try {
    index = await ask("/api/collections");
  } catch (error) {
    return failed(error, begin);
  }
  const before = tasks.value;
  tasks.replaceChildren(...index.collections.map(known => element("option", { value: known.id, textContent: known.name })));
  document.querySelector("header").hidden = !index.collections.some(known => known.clips > 0);
  document.querySelector(".task").hidden = index.collections.length < 2;
  // The newest that has taken another's place, unless the address names one.
  const latest = index.collections.filter(known => !known.problem && !index.collections.some(other => other.replaces === known.id));
  const kept = index.collections.some(known => String(known.id) === before && latest.includes(known));
  if (latest.length) tasks.value = kept ? before : String((latest.find(known => known.replaces) ?? latest[0]).id);
  teachable = searchable() && await ask(`/api/teaching?${new URLSearchParams({ collection: tasks.value })}`).then(state => state.writable, () => false);
  $("to-teach").hidden = !teachable;
  await show();
  if (!results.children.length && $("access").hidden && !teaching.isOpen) words.focus({ preventScroll: true });
}

begin();
