// Teaching: captions of clips, marks on answers, and the training of an adapter on them.
import { ask, counted, element, newToken, number, send } from "/ask.js";
import { clock, loop } from "/player.js";

const $ = id => document.getElementById(id);
const fewClips = 20;      // that are asked for at once
const mostSkipped = 500;  // that are told; the address has an end
const pollTime = 1500;    // ms between looks at a training
const annotations = (collection, clip) => `/api/collections/${encodeURIComponent(collection)}/clips/${encodeURIComponent(clip)}/annotations`;

/** Right and Wrong on the clips that a query found. */
export class Marks {
  constructor(onError) {
    this.onError = onError;
  }

  /** Shows on the cards what is marked already. */
  async show(collection, query, cards) {
    const clips = cards.map(card => card.dataset.clip);
    if (!clips.length) return;
    try {
      const marks = await ask(`/api/collections/${encodeURIComponent(collection)}/marks?${new URLSearchParams({ q: query, clips: clips.slice(0, 100).join(",") })}`);
      for (const card of cards) this.paint(card, marks[card.dataset.clip]);
    } catch (error) {
      this.onError(error);
    }
  }

  /** The two buttons of a card. */
  buttons(card, collection, query) {
    const make = (kind, text, key) => {
      const button = element("button", { type: "button", className: "mark", textContent: text, title: `${text} answer to “${query}” (${key})` });
      button.dataset.kind = kind;
      button.setAttribute("aria-pressed", "false");
      button.addEventListener("click", () => this.toggle(card, collection, query, kind));
      return button;
    };
    return element("span", { className: "marks" }, make("right", "Right", "y"), make("wrong", "Wrong", "n"));
  }

  /** Marks a card, or takes the mark back. */
  async toggle(card, collection, query, kind) {
    const before = card.mark;
    try {
      if (before?.kind === kind) {
        await send(`/api/annotations/${before.token}`, null, "DELETE");
        this.paint(card, null);
      } else {
        this.paint(card, { kind });
        this.paint(card, await send(annotations(collection, card.dataset.clip), { token: newToken(), kind, text: query }));
      }
    } catch (error) {
      this.paint(card, before);
      this.onError(error);
    }
  }

  paint(card, mark) {
    card.mark = mark ?? null;
    for (const button of card.querySelectorAll(".mark")) button.setAttribute("aria-pressed", String(button.dataset.kind === mark?.kind));
  }
}

/** The captions of one clip, to read, give and take back. */
export class Captions {
  constructor(list, onError) {
    this.list = list;
    this.onError = onError;
  }

  async show(collection, clip) {
    [this.collection, this.clip] = [collection, clip];
    this.list.replaceChildren();
    try {
      const said = await ask(annotations(collection, clip));
      if (this.clip === clip) this.list.replaceChildren(...said.filter(one => one.kind !== "wrong").map(one => this.row(one)));
    } catch (error) {
      this.onError(error);
    }
  }

  async add(text, token) {
    const said = await send(annotations(this.collection, this.clip), { token, kind: "caption", text });
    if (![...this.list.children].some(row => row.dataset.token === said.token)) this.list.append(this.row(said));
    return said;
  }

  row(said) {
    const remove = element("button", { type: "button", className: "similar", textContent: "Take back" });
    remove.setAttribute("aria-label", `Take back: ${said.text}`);
    const row = element("li", { title: [said.who, new Date(said.at).toLocaleString()].filter(Boolean).join(", ") },
      element("span", { textContent: said.kind === "right" ? `${said.text} (a query)` : said.text }), remove);
    row.dataset.token = said.token;
    remove.addEventListener("click", async () => {
      try {
        await send(`/api/annotations/${said.token}`, null, "DELETE");
        row.remove();
      } catch (error) {
        this.onError(error);
      }
    });
    return row;
  }
}

/** The view that goes through the clips which teach most, and trains. */
export class Teach {
  constructor(onUsed) {
    this.onUsed = onUsed;
    this.view = $("teach");
    this.captions = new Captions($("teach-said"), error => this.fail(error));
    this.queue = [];
    this.skipped = [];
    this.given = [];   // what can be taken back, the last one last
    $("caption-form").addEventListener("submit", event => { event.preventDefault(); this.save(true); });
    $("teach-skip").addEventListener("click", () => this.skip());
    $("teach-undo").addEventListener("click", () => this.undo());
    $("caption").addEventListener("keydown", event => {
      if (event.key === "Enter" && event.shiftKey) this.save(false);
      else if (event.key === "Escape") this.skip();
      else if (event.key === "z" && (event.ctrlKey || event.metaKey) && !$("caption").value) this.undo();
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
  }

  get isOpen() {
    return !this.view.hidden;
  }

  async open(collection) {
    if (this.collection !== collection) [this.queue, this.skipped, this.given, this.clip] = [[], [], [], null];
    this.collection = collection;
    this.view.hidden = false;
    this.say("");
    await Promise.all([this.look(), this.clip ? null : this.next()]);
  }

  close() {
    this.view.hidden = true;
    clearTimeout(this.timer);
    this.play(null);
  }

  // ---- captions ----

  async next() {
    try {
      if (!this.queue.length) {
        const parameters = new URLSearchParams({ count: String(fewClips), skip: this.skipped.slice(-mostSkipped).join(",") });
        this.queue = (await ask(`/api/collections/${encodeURIComponent(this.collection)}/teach?${parameters}`)).clips;
      }
      this.show(this.queue.shift() ?? null);
    } catch (error) {
      this.fail(error);
    }
  }

  show(clip) {
    this.clip = clip;
    this.token = newToken();
    this.play(clip);
    $("caption").disabled = !clip;
    $("caption").value = "";
    $("teach-name").textContent = clip ? `${clip.file}, ${clock(clip.start)} to ${clock(clip.end)}` : "";
    if (clip) {
      this.captions.show(this.collection, String(clip.clip));
      if (this.isOpen) $("caption").focus({ preventScroll: true });
    } else {
      $("teach-said").replaceChildren();
      this.say("Every clip that would teach something new has been seen. Train now, or mark answers of searches.");
    }
  }

  play(clip) {
    const old = $("teach-film");
    old.removeAttribute("src");
    old.load();
    if (!clip) return;
    const video = old.cloneNode(false);
    Object.assign(video, { muted: true, src: clip.video, poster: clip.thumbnail });
    loop(video, clip);
    old.replaceWith(video);
    video.play().catch(() => {});
  }

  async save(goOn) {
    const text = $("caption").value.trim();
    if (!this.clip || this.saving) return;
    if (!text) return this.say("Write what is seen, or pass the clip over.");
    this.saving = true;
    try {
      // The token stays until the server has answered: sent again, it is the same caption.
      const said = await this.captions.add(text, this.token);
      this.given.push({ token: said.token, clip: this.clip, text });
      this.say("");
      this.token = newToken();
      $("caption").value = "";
      this.look();
      if (goOn) await this.next();
    } catch (error) {
      this.fail(error);
    } finally {
      this.saving = false;
    }
  }

  skip() {
    if (!this.clip) return;
    this.skipped.push(this.clip.clip);
    this.next();
  }

  async undo() {
    const last = this.given.pop();
    if (!last) return this.say("There is nothing to take back.");
    try {
      await send(`/api/annotations/${last.token}`, null, "DELETE");
      if (this.clip && this.clip.clip !== last.clip.clip) this.queue.unshift(this.clip);
      this.show(last.clip);
      $("caption").value = last.text;
      $("caption").select();
      this.look();
    } catch (error) {
      this.given.push(last);
      this.fail(error);
    }
  }

  // ---- training ----

  async look() {
    clearTimeout(this.timer);
    try {
      const state = await ask(`/api/teaching?${new URLSearchParams({ collection: this.collection })}`);
      const used = this.state?.running && this.state.job?.stage === "encode" && !state.running && state.job?.stage === "used";
      this.state = state;
      this.paint();
      if (used) return this.onUsed();
      if (state.running && this.isOpen) this.timer = setTimeout(() => this.look(), pollTime);
    } catch (error) {
      this.fail(error);
    }
  }

  paint() {
    const s = this.state;
    const missing = [s.leastClips - s.clips, s.leastVideos - s.videos];
    $("teach-progress").textContent = `${counted(s.captions, "caption")}, ${number.format(s.right)} right and ${number.format(s.wrong)} wrong answers, on ${counted(s.clips, "clip")} of ${counted(s.videos, "video")}`
      + (s.gone ? `; ${number.format(s.gone)} belong to videos that have changed or are gone` : "");
    $("teach-enough").max = s.leastClips;
    $("teach-enough").value = Math.min(s.clips, s.leastClips);
    const panel = [];
    if (missing.some(count => count > 0)) panel.push(element("p", { className: "quiet", textContent: `Training takes captions of ${s.leastClips} clips of ${s.leastVideos} videos at least; a hundred make a good adapter.` }));
    if (s.running) panel.push(this.running(s.job), this.button("Stop", "stop"));
    else {
      if (s.job?.stage === "failed") panel.push(element("p", { className: "bad", textContent: s.job.message }));
      if (s.job?.stage === "stopped") panel.push(element("p", { className: "quiet", textContent: "The training was stopped. It goes on where it was." }));
      if (s.job?.stage === "used") panel.push(element("p", { textContent: "The new adapter answers now. The old collection stays until “index drop” removes it." }));
      if (s.mayTrain && missing.every(count => count <= 0)) panel.push(this.button(s.job?.stage === "stopped" ? "Go on" : "Train", "train", "solid"));
      if (!s.mayTrain && s.writable) panel.push(element("p", { className: "quiet", textContent: "Your key may caption, not train." }));
      if (s.report && s.job?.stage !== "used") panel.push(...this.report(s.report, s.mayTrain));
    }
    $("training").replaceChildren(...panel);
  }

  running(job) {
    const share = job?.total ? job.step / job.total : null;
    const stage = { train: "Training", measure: "Measuring", encode: "Encoding all clips again" }[job?.stage] ?? "Starting";
    const part = job?.parts > 1 ? (job.part > job.parts ? " on all of them" : `, part ${job.part} of ${job.parts}`) : "";
    const bar = element("progress", share === null ? {} : { max: 1, value: share });
    bar.setAttribute("aria-label", stage);
    return element("div", {}, element("p", { textContent: `${stage}${part}${share === null ? "" : `: ${job.step} of ${job.total}`}` }), bar,
      element("p", { className: "quiet", textContent: job?.message ?? "" }));
  }

  report(report, mayUse) {
    const row = (name, figure, unit = "") => element("tr", {}, element("th", { scope: "row", textContent: name }),
      ...[figure.before, figure.after].map(value => element("td", { textContent: value.toFixed(1) + unit })),
      element("td", { textContent: `${figure.least.toFixed(1)} to ${figure.most.toFixed(1)}`.replaceAll("-", "\u2212") }));
    const table = element("table", {}, element("thead", {}, element("tr", {}, ...["", "before", "after", "change, 95 %"].map(text => element("th", { scope: "col", textContent: text })))),
      element("tbody", {}, row("R@1", report.r1, " %"), row("R@5", report.r5, " %"), row("R@10", report.r10, " %"), row("median rank", report.median_rank), row("typical rank", report.typical_rank)));
    const moved = report.queries.filter(query => query.before !== query.after).slice(0, 5);
    const verdict = report.is_better ? "Better, beyond what chance explains." : "Not better beyond what chance explains: the old model stays. Caption more.";
    return [
      element("h3", { textContent: "On clips that it has not learnt from" }),
      element("p", { className: "quiet", textContent: `${report.pairs} captions learnt, ${report.queries.length} to measure by${report.parts > 1 ? `, in ${report.parts} parts` : ""}` }),
      table, element("p", { textContent: verdict }),
      ...moved.length ? [element("ul", { className: "moved" }, ...moved.map(query => element("li", { textContent: `${query.before} → ${query.after}: ${query.caption}` })))] : [],
      ...mayUse ? [this.button(report.is_better ? "Use it" : "Use it all the same", "use", report.is_better ? "solid" : "plain", { force: !report.is_better })] : [],
    ];
  }

  button(text, action, className = "plain", more = {}) {
    const button = element("button", { type: "button", className, textContent: text });
    button.addEventListener("click", async () => {
      button.disabled = true;
      try {
        await send(`/api/teaching/${action}`, { collection: Number(this.collection), ...more });
        this.say("");
      } catch (error) {
        this.fail(error);
      }
      await this.look();
    });
    return button;
  }

  say(text) {
    $("teach-message").textContent = text;
  }

  fail(error) {
    this.say(error.status ? error.message : "The server does not answer; nothing is lost. Try again.");
  }
}
