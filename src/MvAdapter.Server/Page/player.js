// Clips that play: in the grid while they are pointed at, and large with sound.

const still = matchMedia("(prefers-reduced-motion: reduce)");
const pause = 120;   // ms, so that a pointer on its way starts nothing

/** Minutes and seconds, and hours where there are any. */
export function clock(seconds) {
  const whole = Math.floor(seconds);
  const two = number => String(number).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** Keeps a video within a clip. */
export function loop(video, clip) {
  const restart = () => { video.currentTime = clip.start; };
  video.addEventListener("loadedmetadata", restart, { once: true });
  video.addEventListener("timeupdate", () => { if (video.currentTime >= clip.end) restart(); });
  video.addEventListener("ended", () => { restart(); video.play().catch(() => {}); });
}

/** Plays a clip over its picture while it is pointed at or has the focus. */
export function playOnHover(film, clip) {
  let video = null, timer = 0;
  const stop = () => {
    clearTimeout(timer);
    if (!video) return;
    video.removeAttribute("src");   // lets go of the connection
    video.load();
    video.remove();
    video = null;
  };
  const start = () => {
    video = document.createElement("video");
    Object.assign(video, { muted: true, playsInline: true, preload: "auto", src: clip.video });
    video.setAttribute("aria-hidden", "true");
    loop(video, clip);
    const shown = video;
    video.addEventListener("error", () => {
      if (shown !== video) return;
      stop();
      fault(film, "This browser cannot play the file");
    });
    film.querySelector("img").after(video);
    video.play().catch(() => {});
  };
  const soon = () => {
    if (still.matches || video) return;
    clearTimeout(timer);
    timer = setTimeout(start, pause);
  };
  film.addEventListener("pointerenter", event => { if (event.pointerType === "mouse") soon(); });
  film.addEventListener("focus", () => { if (film.matches(":focus-visible")) soon(); });
  film.addEventListener("pointerleave", () => { if (document.activeElement !== film) stop(); });
  film.addEventListener("blur", stop);
}

/** Says on a clip what is wrong with it. */
export function fault(film, text) {
  if (film.querySelector(".fault")) return;
  const line = document.createElement("span");
  line.className = "fault";
  line.textContent = text;
  film.append(line);
}

/** The large player. */
export class Player {
  constructor(dialog, onSimilar, onOpen = () => {}) {
    this.onOpen = onOpen;
    this.dialog = dialog;
    this.title = dialog.querySelector("h2");
    dialog.querySelector("#player-close").addEventListener("click", () => dialog.close());
    dialog.querySelector("#player-similar").addEventListener("click", () => { dialog.close(); onSimilar(this.clip); });
    dialog.addEventListener("click", event => { if (event.target === dialog) dialog.close(); });
    dialog.addEventListener("close", () => this.renew());
  }

  open(clip) {
    this.clip = clip;
    this.title.textContent = `${clip.file}, ${clock(clip.start)} to ${clock(clip.end)}`;
    const video = this.renew();
    video.src = clip.video;
    video.poster = clip.thumbnail;
    video.addEventListener("loadedmetadata", () => { video.currentTime = clip.start; }, { once: true });
    this.onOpen(clip);
    this.dialog.showModal();
    video.play().catch(() => {});
  }

  /** Goes to a second of the film. */
  jump(seconds) {
    const video = this.dialog.querySelector("video");
    video.currentTime = seconds;
    video.play().catch(() => {});
  }

  // A fresh element has no listeners of the clip before, and the old one lets go of its connection.
  renew() {
    const old = this.dialog.querySelector("video");
    old.removeAttribute("src");
    old.removeAttribute("poster");
    old.load();
    const video = old.cloneNode(false);
    old.replaceWith(video);
    return video;
  }
}
